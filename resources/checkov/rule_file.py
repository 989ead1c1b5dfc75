"""A rule of the operator's own: one of Checkov's YAML policies, read within bounds, for the scanner's limited child.

A check written in Python is refused: it would run with all that the scanner's parent may do, and a policy says the same
as data. Deliberately absent: what the rule means, which Checkov's own parser decides in the child.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infraaudit_domain.errors import ConfigurationError, excerpt
from infraaudit_domain.scans.findings import Scan, Severity
from resources.checkov.limits import ScanLimits
from resources.checkov.parent import Answer, Parent
from resources.machine.yaml_text import Bounds, UnreadableError, read_documents

RULED = ("ansible", "arm", "bicep", "cloudformation", "github_actions", "kubernetes", "terraform", "terraform_plan")
"""Frameworks whose resources a policy can be about."""
_BOUNDS = Bounds(size=64 * 1024, depth=30, nodes=5_000)
_ID = re.compile(r"[A-Z][A-Z0-9_]{2,79}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy as JSON, which is YAML that every reader takes alike."""

    id: str
    severity: Severity
    text: str


def read_rule(path: Path) -> Rule:
    """The one policy of a file. Raises ConfigurationError that names what is wrong with it."""
    if path.suffix == ".py":
        raise ConfigurationError(
            f"{path} is a check in Python, which would run as code; write it as one of Checkov's YAML policies."
        )
    try:
        with path.open(encoding="utf-8-sig") as file:
            found = read_documents(file.read(_BOUNDS.size + 1), _BOUNDS)
    except (OSError, UnreadableError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The rule {path} cannot be read: {excerpt(str(error), 300)}.") from error
    if len(found) != 1:
        raise ConfigurationError(f"The rule {path} has {len(found)} documents; give one policy.")
    return _rule(path, found[0])


def _rule(path: Path, policy: Any) -> Rule:
    metadata = policy.get("metadata") if isinstance(policy, dict) else None
    given = metadata.get("id") if isinstance(metadata, dict) else None
    if metadata is None or not isinstance(given, str) or not _ID.fullmatch(given):
        raise ConfigurationError(
            f"The rule {path} needs metadata.id: capital letters, digits and _, for example CUSTOM_ACME_1."
        )
    if not policy.get("definition"):
        raise ConfigurationError(f"The rule {path} needs a definition: what a resource has to be.")
    metadata.setdefault("name", given)
    metadata.setdefault("category", "GENERAL_SECURITY")
    severity = str(metadata.get("severity", "")).lower()
    known = Severity(severity) if severity in {*Severity} else Severity.UNKNOWN
    return Rule(given, known, json.dumps(policy))


class RuledParent(Parent):
    """Runs a rule, and nothing else, in every scan. It holds a Checkov of its own: a rule stays in the child that read it."""

    def __init__(self, scratch: Path, limits: ScanLimits, state: Path, rule: Rule) -> None:
        super().__init__(scratch, limits, state)
        self._rule = rule

    def require_rule(self, work: Path) -> None:
        """Raises ConfigurationError where Checkov does not take the rule: it would find nothing, which is no answer."""
        answer = super().ask("rule", work, work, rule=self._rule.text)
        why = answer.document if answer.outcome == "done" else answer.reason
        if why:
            raise ConfigurationError(f"Checkov does not take the rule {self._rule.id}: {excerpt(why, 600)}.")

    def ask(self, task: str, root: Path, work: Path, seconds: float | None = None, **details: Any) -> Answer:
        """As :meth:`Parent.ask`."""
        if task == "scan":
            details |= {"rule": self._rule.text, "arguments": ["--check", self._rule.id]}
        return super().ask(task, root, work, seconds, **details)


def was_asked(check: str, scan: Scan) -> bool:
    """Whether a scan met any resource that a check is about, with whatever result."""
    proofs = (part.evidence for part in scan.frameworks if part.evidence is not None)
    passed = (checks for proof in proofs for resources in proof.passed.values() for checks in resources.values())
    return any(one.check_id == check for one in scan.findings) or any(check in checks for checks in passed)
