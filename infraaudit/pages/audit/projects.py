"""The contents of the page of all projects: one row each, with what an engineer looks at first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from markupsafe import Markup

from infraaudit.pages.audit.verdict import word_of
from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.scans.findings import Severity
from resources.history import History, schema
from resources.history.deployments import live_since
from resources.history.queries.commit_findings import newest_scanned, postures
from resources.history.queries.commit_pages import CommitFilter, commit_page
from resources.history.queries.coverage import coverage_of, scanned_parts
from resources.history.queries.environments import environments
from resources.history.stored_line import StoredLine

_SHOWN = 30
"""Commits of the spark line."""
_WIDTH, _HEIGHT = 90, 22


def live_in(history: History, project: str, environment: str) -> Deployment | None:
    """What is live, as having ended when that commit went live: deployed again, it has been live all along."""
    live = history.live(project, environment)
    return replace(live, finished_at=live_since(history, live)) if live else None


def project_cards(history: History, lines: Sequence[StoredLine], order: str = "worst") -> list[dict[str, Any]]:
    """Every project in a few numbers; in one of the orders."""
    known = environments(history)
    cards = [_card(line, [name for project, name in known if project == line.project]) for line in lines]
    return sorted(cards, key=ORDERS[order])


def _card(line: StoredLine, names: Sequence[str]) -> dict[str, Any]:
    head, newest = newest_scanned(line), next(iter(commit_page(line, CommitFilter(), 1, 0)[1]), None)
    parts = scanned_parts(line.history, line.project, head.sha) if head else []
    return {
        "name": line.project,
        "head": head,
        "spark": _spark(line),
        "live": [found for name in names if (found := live_in(line.history, line.project, name)) is not None],
        "newest": newest,
        "word": word_of(newest) if newest else "",
        "unread": sum(part.unread for part in coverage_of(line, head.sha, parts)) if head else None,
        "failure": _last_failure(line),
    }


def _last_failure(line: StoredLine) -> sa.RowMapping | None:
    table = schema.stages
    wanted = (table.c.project == line.project) & (table.c.outcome == StageOutcome.FAILED.value)
    query = sa.select(table.c.sha, table.c.stage, table.c.finished_at).where(wanted)
    return next(iter(line.history.rows(query.order_by(table.c.finished_at.desc()).limit(1))), None)


def _spark(line: StoredLine) -> Markup:
    """Open findings of the newest commits as a line; empty where there is no line to draw."""
    last = len(line.shas) - 1
    totals = [each.open.total() for each in postures(line, max(0, last - _SHOWN + 1), last)] if last > 0 else []
    if not any(totals):
        return Markup("")
    step, top = _WIDTH / (len(totals) - 1), max(totals)
    points = " ".join(f"{n * step:.1f},{_HEIGHT - 2 - t * (_HEIGHT - 4) / top:.1f}" for n, t in enumerate(totals))
    label = f"from {totals[0]} to {totals[-1]} open over {len(totals)} commits"
    shape = '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}"><polyline points="{}"/></svg>'
    return Markup(shape).format(_WIDTH, _HEIGHT, label, points)


def _worst_first(card: Mapping[str, Any]) -> tuple[Any, ...]:
    counts = card["head"].open if card["head"] else {}
    return (*(-counts.get(severity, 0) for severity in Severity), card["name"])


def _newest_live_first(card: Mapping[str, Any]) -> tuple[float, str]:
    moment = max((live.finished_at for live in card["live"]), default=None)
    return (-moment.timestamp() if moment else 0.0, card["name"])


def _newest_failure_first(card: Mapping[str, Any]) -> tuple[float, str]:
    return (-card["failure"]["finished_at"].timestamp() if card["failure"] else 0.0, card["name"])


ORDERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "worst": _worst_first,
    "name": lambda card: card["name"],
    "live": _newest_live_first,
    "failure": _newest_failure_first,
}
