"""Name the commits of a finding's life by scanning as few as needed: bisection over what lies in between.

Every scan is an ordinary one and stored as it ends, so that an interrupted search resumes where it stopped.
Deliberately absent: which commit is next (unknown_events.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infraaudit.scans.cross_scanning import Runner, attribute_causes
from infraaudit.scans.lifecycles import Line
from infraaudit.scans.scan_commit import store_scan
from infraaudit.scans.unknown_events import UnknownEvent, unknown_events
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.lifecycles.narrowing import MOST_SCANS
from infraaudit_domain.projects import Project


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What a search took, and what it could not name."""

    scans: int
    cross_scans: int
    """Scans of the same commits under a later configuration or scanner, to find which of them changed a finding."""
    left: Sequence[UnknownEvent]


def narrow(
    line: Line,
    project: Project,
    fingerprint: str,
    runner: Runner,
    limit: int = MOST_SCANS,
    report: Callable[[UnknownEvent], None] = lambda _: None,
) -> Narrowed:
    """Scan what is needed to name the commits of every event in a finding's life, at most ``limit`` commits.

    ``report`` is called before each scan. Raises what the scanner raises when it cannot be started.
    """
    unscannable: dict[str, str] = {}
    left = unknown_events(line.follow(), fingerprint)
    scans = 0
    if any(event.next for event in left):
        with runner() as scanner:
            while scans < limit and (event := next((each for each in left if each.next), None)):
                report(event)
                scans += 1
                try:
                    store_scan(line.history, line.mirror, project, event.next or "", scanner)
                except InfraAuditError as error:
                    unscannable[event.next or ""] = str(error)
                left = unknown_events(line.follow(), fingerprint, unscannable)
    cross_scans = attribute_causes(line.history, line.mirror, project, runner) if scans else 0
    return Narrowed(scans, cross_scans, unknown_events(line.follow(), fingerprint, unscannable))
