"""What a project's owners accept, from both places where they say so: the project's file, and triage.

The one place where the two meet: gate, answers, reports and exports all ask here. Deliberately absent: what a suppression
means (infraaudit_domain/judging/suppressions.py).
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from infraaudit_domain.judging.suppressions import Source, Suppression
from infraaudit_domain.judging.triage import Decision, decisions, suppressions_of
from resources.configuration.suppressions import Accepted, read_accepted
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.decisions.triage import event_rows, events_of
from resources.history.queries.finding_names import names_beside, names_of
from resources.history.stored_line import StoredLine


def accepted_by(history: History, configs: Path, project: str) -> Accepted:
    """All that is accepted of a project, the file's entries first. Raises ConfigurationError, HistoryError."""
    accepted = read_accepted(configs, project)
    return replace(accepted, suppressions=(*accepted.suppressions, *triaged(history, project)))


def suppressions_by(history: History, configs: Path, project: str) -> tuple[Suppression, ...]:
    """The suppressions of a project from both places. Raises ConfigurationError, HistoryError."""
    return tuple(accepted_by(history, configs, project).suppressions)


def triaged(history: History, project: str) -> list[Suppression]:
    """What triage hides or hid, with the moments between which it counted."""
    found, names = decided(history, project)
    return suppressions_of(found, names)


def beside_the_line(
    line: StoredLine, mirror: Mirror, sha: str, given: Iterable[Suppression]
) -> tuple[Suppression, ...]:
    """Suppressions as they name the findings of a commit: one beside the line knows no name from before or after its fork."""
    suppressions = tuple(given)
    if all(one.source is not Source.TRIAGE for one in suppressions) or (fork := _fork(line, mirror, sha)) is None:
        return suppressions
    found, _ = decided(line.history, line.project)
    seen = {(one.event.fingerprint, one.event.sha) for one in found}
    names = names_beside(line.history, line.project, seen, line.branch, fork)
    return (*(one for one in suppressions if one.source is not Source.TRIAGE), *suppressions_of(found, names))


def _fork(line: StoredLine, mirror: Mirror, sha: str) -> int | None:
    """The last position of the line that a commit beside it has in its past, -1 without one; None for one on the line."""
    if sha in line.shas:
        return None
    return bisect_left(line.shas, True, key=lambda each: not mirror.is_ancestor(each, sha)) - 1


def decided(history: History, project: str) -> tuple[list[Decision], dict[str, frozenset[str]]]:
    """Every decision of a project, and every name of a finding by the one under which it was decided."""
    events = events_of(history, project)
    if not events:
        return [], {}
    names = names_of(history, project, {(event.fingerprint, event.sha) for event in events})
    return decisions(events, _lives(names)), names


def decisions_with_rows(history: History, project: str) -> list[tuple[Decision, dict[str, Any], frozenset[str]]]:
    """Every decision with what was recorded of its finding, and every name of that, in the order of records."""
    found, names = decided(history, project)
    rows = {event: dict(row) for event, row in event_rows(history, project)}
    return [
        (one, rows[one.event], names.get(one.event.fingerprint, frozenset()) | {one.event.fingerprint}) for one in found
    ]


def _lives(names: dict[str, frozenset[str]]) -> dict[str, str]:
    """One name for each finding, by every one under which it was decided."""
    return {mark: min(every, default=mark) for mark, every in names.items()}
