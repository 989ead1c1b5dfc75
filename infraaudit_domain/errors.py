"""The errors of InfraAudit, and the policy on them.

Policy: a message names the thing that failed and what to do next. What a library raises is chained
(``raise … from error``), never leaked. Text from outside is passed through :func:`excerpt` first. An outcome
that the pipeline records (a failing test, a finding, a rollout that was rolled back) is a value, not an error.
``retryable`` is whether the same step may succeed if it is simply run again.
"""

import re
from typing import ClassVar

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
_TERMINAL_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")


def excerpt(text: str, limit: int = 2000) -> str:
    """Make outside text safe to show and to store: no terminal sequences, no control characters, the end kept.

    Bytes that were no UTF-8 and came as surrogates, which no database takes, become U+FFFD. The end is kept because
    tools say last what went wrong. ``limit`` is in characters.
    """
    lines = _NO_TEXT.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")
    clean = _CONTROL.sub("", _TERMINAL_SEQUENCE.sub("", lines)).strip()
    return clean if len(clean) <= limit else f"… {clean[-limit:].lstrip()}"


class InfraAuditError(Exception):
    """Base of the errors that InfraAudit raises on purpose. No message holds what a terminal or a database cannot take."""

    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "") -> None:
        super().__init__(_CONTROL.sub("", _NO_TEXT.sub("\ufffd", message)))


class ConfigurationError(InfraAuditError):
    """Settings or a file of the pipeline's own configuration are wrong; every fault is listed at once."""


class DiskFullError(InfraAuditError):
    """The disk that holds the state is full; what was written before is intact."""


class UnwritableFileError(InfraAuditError):
    """A file of ours cannot be written: the disk is full, or the folder is somebody else's."""

    retryable = True


class RepositoryError(InfraAuditError):
    """Git could not do what was asked: the repository is gone, a fetch failed, a checkout is not possible."""

    retryable = True


class UnknownRevisionError(RepositoryError):
    """The repository has no such commit."""

    retryable = False


class EngineError(InfraAuditError):
    """The container engine failed in the middle of its work; running the step again may help."""

    retryable = True


class EngineUnavailableError(EngineError):
    """No container engine answers: what needs one is skipped, visibly."""

    retryable = False


class BuildFailedError(InfraAuditError):
    """The Dockerfile of the commit does not build; only another commit can fix that."""


class TestRunError(InfraAuditError):
    """The tests could not be run to an end (no report, time limit, memory limit)."""

    __test__: ClassVar[bool] = False


class ScanError(InfraAuditError):
    """Checkov could not be run at all. A scan that ran and failed is a value with status ``failed``."""

    retryable = True


class ManifestError(InfraAuditError):
    """A manifest of the commit is missing, is no YAML, or is not what the policy allows."""


class ClusterError(InfraAuditError):
    """The Kubernetes API failed in a way that a retry of the step may resolve."""

    retryable = True


class ClusterUnavailableError(ClusterError):
    """No Kubernetes API answers under the configured kubeconfig."""


class RejectedByClusterError(InfraAuditError):
    """The API server refused the request (schema, admission, permission, conflict); a retry cannot help."""


class MonitoringError(InfraAuditError):
    """Prometheus or Grafana refused or did not answer."""

    retryable = True


class DagsterUnavailableError(InfraAuditError):
    """The Dagster webserver does not answer, or refused; what was asked of it waits."""

    retryable = True


class MalformedPushError(InfraAuditError):
    """A webhook's payload is not what its forge sends; the message names the field."""


class HistoryError(InfraAuditError):
    """The history database cannot be read or written."""

    retryable = True


class NotThereError(ConfigurationError):
    """What a question names is not in the history: a commit, a finding, an environment, a branch."""


class NotAllowedError(InfraAuditError):
    """Somebody may not do what they asked for: they are no approver, or approve their own commit."""


class NotScannedError(HistoryError):
    """The commit has not been scanned, so nothing is known of its findings; scanning it helps, a retry does not."""

    retryable = False


class ToolError(InfraAuditError):
    """A program that we started failed, was killed at a limit, or is not installed."""


class ToolMissingError(ToolError):
    """The program is not installed."""


class ToolTimeoutError(ToolError):
    """The program ran longer than its limit and was killed with its children."""

    retryable = True
