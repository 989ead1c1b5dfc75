"""The newest judgement of what is live in each environment. Deliberately absent: judging (infraaudit/live_gate.py)."""

from collections.abc import Sequence

import sqlalchemy as sa

from infraaudit_domain.errors import excerpt
from infraaudit_domain.judging.live import JudgedBefore, LiveJudgement
from resources.history import schema
from resources.history.database import upsert
from resources.history.store import History

_LONGEST = 4000
_TABLE = schema.live_judgements


def record_judgement(history: History, judgement: LiveJudgement) -> None:
    """Record a judgement in place of the one before."""
    row = {name: getattr(judgement, name) for name in ("project", "environment", "sha", "rules", "judged_at")}
    row |= {"passed": judgement.passes, "reasons": excerpt("\n".join(judgement.verdict.reasons), _LONGEST)}
    with history.writing() as connection:
        upsert(connection, _TABLE, [row])


def last_judged(history: History, project: str, environment: str) -> JudgedBefore | None:
    """The judgement before, as far as the next one depends on it."""
    mine = (_TABLE.c.project == project) & (_TABLE.c.environment == environment)
    row = history.row(sa.select(_TABLE.c.sha, _TABLE.c.rules, _TABLE.c.judged_at).where(mine))
    return None if row is None else JudgedBefore(row["sha"], row["rules"], row["judged_at"])


def judgement_rows(history: History) -> Sequence[sa.RowMapping]:
    """Every environment's judgement: project, environment, sha, passed, reasons, judged_at."""
    names = ("project", "environment", "sha", "passed", "reasons", "judged_at")
    return history.rows(sa.select(*(_TABLE.c[name] for name in names)))
