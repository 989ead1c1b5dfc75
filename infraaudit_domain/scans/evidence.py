"""What a framework's run proves beside its findings, and when that closes a finding.

A finding is closed by evidence, never by absence: its check passed on its resource, or its resource is gone from a
file that is known to have been read. Deliberately absent: finding out what was read (resources/checkov).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

RULES = 5
"""The version of our own rules for reading a scan. Version 1 took a complete scan's silence for proof; version 2 did
not scan what kustomizations and charts make; version 3 passed over files that are links to other files; version 4
went through files in an order that hung on where they lay."""
EVERY_FILE = "…"
"""The path of a gap that stands for more files than are listed."""
EVERY_CHECK = "*"
"""Among the undecided checks of a file: none gave a verdict on it, though it is no gap."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one framework's run proves, by file; paths as in findings."""

    expected: int = 0
    """How many files our own look at the text says that the framework has to read."""
    passed: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """By file and resource: the checks that passed. A resource that was read and passed nothing has an empty set."""
    undecided: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By file: checks that gave no verdict on something in it, as where a value is not known."""

    def is_undecided(self, finding: "_Located") -> bool:
        """Whether a finding's check gave no verdict on something in its file."""
        return not {finding.check_id, EVERY_CHECK}.isdisjoint(self.undecided.get(finding.file_path, ()))


class _Located(Protocol):
    @property
    def check_id(self) -> str: ...
    @property
    def file_path(self) -> str: ...
    @property
    def resource(self) -> str: ...


def is_unread(path: str, gaps: Iterable[str]) -> bool:
    """Whether a file is among the gaps of a framework's scan; one that ends with a slash is a folder."""
    return any(gap in (path, EVERY_FILE) or (gap.endswith("/") and path.startswith(gap)) for gap in gaps)


def proves_absence(evidence: Evidence | None, finding: _Located) -> bool:
    """Whether a finding that is not reported is provably not there; its file is no gap, and its framework did not fail.

    A result of version 1 (no evidence) proves what its silence says.
    """
    if evidence is None:
        return True
    resources = evidence.passed.get(finding.file_path, {})
    if finding.check_id in resources.get(finding.resource, ()):
        return True
    return finding.resource not in resources and not evidence.is_undecided(finding)
