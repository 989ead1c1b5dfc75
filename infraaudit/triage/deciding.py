"""Record what somebody decides on findings: on those that are named, or on all that a filter finds.

Deliberately absent: who may (service/writing), and what a decision means (infraaudit_domain/judging).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from infraaudit.accepted import decided
from infraaudit.questions.answers import findings
from infraaudit.questions.asked import Asked, Row
from infraaudit.scans.unknown_events import one_finding
from infraaudit_domain.errors import ConfigurationError, NotThereError
from infraaudit_domain.judging.audit_log import Actor
from infraaudit_domain.judging.triage import Action, Decision, Event, Ruling, checked
from resources.history.decisions.triage import record_events
from resources.history.queries.finding_life import finding_life

MOST = 20_000
"""Findings that one decision may be about."""
FILTERS = ("severity", "framework", "check", "path", "status", "q")
"""By which findings are chosen in bulk, as the question `findings` has them."""
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Decided:
    """What was recorded, or would be."""

    action: str
    findings: int
    """That it was recorded for, or would be."""
    unchanged: int
    """For which the same stands already; of undo, on which nothing is decided."""
    recorded: bool
    first: Sequence[Mapping[str, Any]]
    """The first of them: id, severity, check_id, file_path, resource."""


def decide(asked: Asked, ids: Sequence[str], ruling: Ruling, actor: Actor, dry_run: bool = False) -> Decided:
    """Record a ruling on findings. Raises ConfigurationError, NotThereError, NotScannedError, HistoryError.

    Of those whose ids begin so; where none is given, of all that the filter of the question finds.
    """
    ruling = checked(ruling, asked.now.date())
    chosen = _named(asked, ids) if ids else _filtered(asked, ruling.action)
    standing = _standing(asked)
    wanted = [row for row in chosen if _is_new(ruling, standing.get(row["id"], []))]
    if ids and not wanted and ruling.action is Action.UNDO:
        raise NotThereError(f"Nothing is decided of {', '.join(ids)}; see `infraaudit triage list`.")
    if not dry_run:
        events = [Event(row["id"], row["commit"], ruling, actor.name, asked.now) for row in wanted]
        facts = {row["id"]: row for row in wanted}
        record_events(asked.history, asked.project, events, facts, actor, _subject(asked, ids))
    names = ("id", "severity", "check_id", "file_path", "resource")
    first = [{name: row[name] for name in names} for row in wanted[:_SHOWN]]
    unchanged = len(chosen) - len(wanted)
    return Decided(ruling.action.value, len(wanted), unchanged, not dry_run and bool(wanted), first)


def _named(asked: Asked, ids: Sequence[str]) -> list[Row]:
    found: dict[str, Row] = {}
    for given in ids:
        mark = one_finding(asked.line, given)
        life = finding_life(asked.line, mark)
        if life is None:
            raise NotThereError(f"No commit of {asked.project} ever had a finding {given}.")
        found[mark] = {**life.finding, "id": mark, "commit": life.finding["seen_in"]}
    return list(found.values())


def _filtered(asked: Asked, action: Action) -> list[Row]:
    if not any(asked.text(name) for name in FILTERS if name != "status"):
        raise ConfigurationError(
            "Name the findings: ids, or a filter (severity, framework, check, path or q); --dry-run shows how many."
        )
    status = asked.text("status") or ("any" if action is Action.UNDO else "open")
    rows, total = findings(replace(asked, given={**asked.given, "status": status}, limit=MOST, offset=0))
    if total > MOST:
        raise ConfigurationError(f"{total} findings are more than the {MOST} of one decision; filter more narrowly.")
    return list(rows)


def _standing(asked: Asked) -> dict[str, list[Decision]]:
    """What is decided now, by every name of each finding."""
    found, names = decided(asked.history, asked.project)
    standing: dict[str, list[Decision]] = {}
    for one in found:
        if one.ended is None:
            for name in names.get(one.event.fingerprint, frozenset()) | {one.event.fingerprint}:
                standing.setdefault(name, []).append(one)
    return standing


def _is_new(ruling: Ruling, standing: Sequence[Decision]) -> bool:
    if ruling.action is Action.UNDO:
        return bool(standing)
    return all(one.event.ruling != ruling for one in standing)


def _subject(asked: Asked, ids: Sequence[str]) -> str:
    if ids:
        return " ".join(ids)
    return ", ".join(f"{name} {asked.text(name)}" for name in FILTERS if asked.text(name))
