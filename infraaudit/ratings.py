"""What another rating of checks would do to the gate of what is live.

Deliberately absent: rating anything. Comments in the code that count by severity (``inline_suppressions``) are judged by
the rating of now.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from infraaudit.gate import evidence_of
from infraaudit_domain.judging.gate import Evidence, judge_scan
from infraaudit_domain.judging.ratings import rated
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Severity
from resources.configuration.gate import read_gate
from resources.git.mirror import Mirror
from resources.history import History


@dataclass(frozen=True, slots=True)
class Rerated:
    """What a rating would do to what is live in an environment."""

    sha: str
    now: Verdict
    then: Verdict
    changes: Mapping[tuple[str, Severity, Severity], int]
    """Open findings by check, with the severity that they have and the one they would have."""


def rerate(
    history: History,
    mirror: Mirror,
    project: Project,
    environment: str,
    gate_file: Path,
    severities: Mapping[str, Severity],
    now: datetime,
) -> Rerated | None:
    """The gate of what is live, as it is and as it would be; None where nothing is live. Raises ConfigurationError."""
    live = history.live(project.name, environment)
    if live is None:
        return None
    policy = read_gate(gate_file)
    evidence = evidence_of(history, mirror, project, environment, live.sha, gate_file, now)
    then = rated(evidence, severities)
    return Rerated(live.sha, judge_scan(policy, evidence), judge_scan(policy, then), _changes(evidence, then))


def _changes(now: Evidence, then: Evidence) -> Mapping[tuple[str, Severity, Severity], int]:
    if now.scan is None or then.scan is None:
        return {}
    pairs = zip((*now.scan.findings, *now.unread), (*then.scan.findings, *then.unread), strict=True)
    return Counter(
        (before.check_id, before.severity, after.severity)
        for before, after in pairs
        if before.is_open and before.severity is not after.severity
    )
