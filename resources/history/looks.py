"""The last look at each environment, of which one process at a time makes the next.

Deliberately absent: when a look is due and what it finds (infraaudit_domain/delivery/looks.py).
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from infraaudit_domain.delivery.looks import Look, Seen
from resources.history import schema
from resources.history.database import upsert
from resources.history.store import History

_TABLE = schema.looks


def last_seen(history: History, project: str, environment: str) -> Seen:
    """What the looks before have found; empty where there was none."""
    row = history.row(sa.select(_TABLE).where(_TABLE.c.project == project, _TABLE.c.environment == environment))
    if row is None:
        return Seen()
    look = Look(row["passed"], row["words"], row["sha"], tuple(row["drift"]), row["healed"])
    return Seen(
        look if row["looked_at"] else None,
        row["due_at"],
        row["quiet"],
        row["shown_at"],
        row["shown_mark"],
        row["lines"],
        row["lines_shown_at"],
    )


def looked_at(history: History) -> dict[tuple[str, str], datetime]:
    """When each environment was last looked at, by project and environment."""
    query = sa.select(_TABLE.c.project, _TABLE.c.environment, _TABLE.c.looked_at).where(_TABLE.c.looked_at.is_not(None))
    return {(row["project"], row["environment"]): row["looked_at"] for row in history.rows(query)}


def claim(history: History, project: str, environment: str, due_at: datetime | None, until: datetime) -> bool:
    """Take the look that was due at a time (None: the first one); False where another process has taken it.

    Where the taker dies, it is due again at ``until``.
    """
    fresh = _empty() | {"project": project, "environment": environment, "due_at": until}
    dialect = postgresql if history.dialect == "postgresql" else sqlite
    mine = (_TABLE.c.project == project) & (_TABLE.c.environment == environment)
    with history.writing() as connection:
        if connection.execute(dialect.insert(_TABLE).values(fresh).on_conflict_do_nothing()).rowcount > 0:
            return True
        due = _TABLE.update().where(mine, _TABLE.c.due_at == due_at).values(due_at=until)
        return connection.execute(due).rowcount > 0


def record_look(history: History, project: str, environment: str, seen: Seen, looked_at: datetime) -> None:
    """Keep what is known after a look."""
    look = seen.look or Look(True, "")
    row = {
        "project": project,
        "environment": environment,
        "due_at": seen.due_at or looked_at,
        "looked_at": looked_at,
        "quiet": seen.quiet,
        "sha": look.sha,
        "passed": look.passed,
        "words": look.words,
        "drift": list(look.drift),
        "healed": look.healed,
        "shown_at": seen.shown_at,
        "shown_mark": seen.shown_mark,
        "lines": seen.lines,
        "lines_shown_at": seen.lines_shown_at,
    }
    with history.writing() as connection:
        upsert(connection, _TABLE, [row])


def note_look(history: History, project: str, environment: str, look: Look, now: datetime) -> None:
    """Keep a look that somebody asked for; when the next one is due stays as it was."""
    before = last_seen(history, project, environment)
    record_look(history, project, environment, replace(before, look=look), now)


def _empty() -> dict[str, Any]:
    return {
        "looked_at": None, "quiet": 0, "sha": "", "passed": True, "words": "", "drift": [], "healed": "",
        "shown_at": None, "shown_mark": "", "lines": 0, "lines_shown_at": None,
    }  # fmt: skip
