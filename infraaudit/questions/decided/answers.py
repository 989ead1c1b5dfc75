"""The answers about what people decided and did."""

from collections.abc import Collection
from datetime import date

from infraaudit.accepted import decisions_with_rows
from infraaudit.questions.asked import Asked, Page, Row
from infraaudit_domain.judging.triage import FOR_GOOD, Decision, State
from resources.history import History
from resources.history.decisions.audit_log import log_rows


def triage(asked: Asked) -> Page:
    day, wanted = asked.now.date(), asked.text("finding")
    within = int(asked.given.get("within") or 0)
    rows = []
    for one, facts, names in decisions_with_rows(asked.history, asked.project):
        row = _row(one, facts, one.state(day))
        left = (one.event.ruling.expires - day).days
        is_soon = one.state(day) is State.STANDING and one.event.ruling.expires != FOR_GOOD and left <= within
        if (
            asked.text("state") in ("", row["state"])
            and asked.text("action") in ("", row["action"])
            and any(name.startswith(wanted) for name in names)
            and (not within or is_soon)
        ):
            rows.append(row | {"days_left": left if one.event.ruling.expires != FOR_GOOD else None})
    return asked.cut(sorted(rows, key=lambda row: row["until"] or "9999") if within else rows[::-1])


def decisions_of(history: History, project: str, names: Collection[str], today: date) -> list[Row]:
    """What was ever decided of one finding, by any of its names, newest first."""
    rows = (
        _row(one, facts, one.state(today))
        for one, facts, of in decisions_with_rows(history, project)
        if not of.isdisjoint(names)
    )
    return list(rows)[::-1]


def _row(one: Decision, facts: Row, state: State) -> Row:
    event, ruling = one.event, one.event.ruling
    return {name: facts[name] for name in ("severity", "check_id", "file_path", "resource", "via", "address")} | {
        "at": event.at,
        "action": ruling.action.value,
        "state": state.value,
        "id": event.fingerprint,
        "owner": ruling.owner or None,
        "reason": ruling.reason or None,
        "until": None if ruling.expires == FOR_GOOD else ruling.expires.isoformat(),
        "by": event.by,
        "imported_by": event.imported_by or None,
        "imported_at": event.imported,
        "commit": event.sha,
        "ended_at": one.ended,
        "ended_by": one.ended_by or None,
    }


def audit_log(asked: Asked) -> Page:
    wanted = asked.text("act"), asked.text("actor"), asked.moment("since")
    total, rows = log_rows(asked.history, asked.project, *wanted, most=asked.limit, skip=asked.offset)
    return rows, total
