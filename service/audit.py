"""Answers of the audit that need more than the history: the project's suppressions and age limits, and its mirror.

Deliberately absent: reading the configuration and following the branch. The caller gives the one, every run does the
other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from infraaudit.questions.findings import compare
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.errors import ConfigurationError, RepositoryError
from infraaudit_domain.findings import Severity
from infraaudit_domain.suppressions import Suppression
from resources.git.mirror import Mirror
from resources.history.queries.exposure import exposure, live_commits
from resources.history.queries.lives import life_events
from resources.history.queries.sla import sla
from resources.history.queries.suppressions import suppressions_of
from resources.history.stored_line import StoredLine
from service.tables import day, fitting, text, word
from service.wanted import wanted_commit

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """What the configuration says of a project, as it is now."""

    environment: str = "production"
    """The first one."""
    suppressions: Sequence[Suppression] = ()
    max_age_days: Mapping[Severity, float] = field(default_factory=dict)
    mirror: Mirror | None = None
    url: str = ""
    """Of the repository."""


def rules_of(rules: Callable[[str], ProjectRules], project: str) -> ProjectRules:
    """The rules of a project. Raises HTTPException 503 with what is wrong with the configuration."""
    try:
        return rules(project)
    except ConfigurationError as error:
        raise HTTPException(503, f"the configuration is wrong: {error}") from error


def blame_rows(line: StoredLine, rules: ProjectRules, request: Request) -> Rows:
    finding = fitting(request, "finding", r"[0-9a-f]{0,32}", "at most 32 hexadecimal digits")
    wanted = (finding or None, text(request, "check") or None, text(request, "path") or None)
    return life_events(line, _environment(rules, request), *wanted)


def compare_rows(line: StoredLine, rules: ProjectRules, request: Request) -> Rows:
    before, after = _before(line, rules, request), wanted_commit(line, request, name="after")
    for sha in (before, after):
        if line.history.scan(line.project, sha) is None:
            raise HTTPException(404, f"{sha[:12] or 'no commit'} of {line.project} has not been scanned")
    if rules.mirror is None:
        raise HTTPException(404, "there is no mirror of this project here")
    followed = Line(line.history, rules.mirror, line.project, line.branch)
    try:
        return _rows(compare(followed, before, after, rules.suppressions, datetime.now(UTC).date()))
    except RepositoryError as error:
        raise HTTPException(404, "the mirror of this project does not have both commits") from error


def exposure_rows(line: StoredLine, rules: ProjectRules, request: Request) -> Rows:
    return _rows(exposure(line, _environment(rules, request), datetime.now(UTC)))


def live_commit_rows(line: StoredLine, rules: ProjectRules, request: Request) -> Rows:
    return _rows(live_commits(line, _environment(rules, request), datetime.now(UTC)))


def sla_rows(line: StoredLine, rules: ProjectRules, request: Request) -> Rows:
    since = day(request, "since", time.min)
    rows = _rows(sla(line, rules.max_age_days, datetime.now(UTC), rules.suppressions, since))
    # pandas makes floats of whole numbers where one of them is missing.
    return [row | {n: row[n] if row[n] is None else int(row[n]) for n in ("breached", "fixed_late")} for row in rows]


def suppression_rows(line: StoredLine, rules: ProjectRules, request: Request) -> Rows:
    live = line.history.live(line.project, _environment(rules, request))
    return _rows(suppressions_of(line, rules.suppressions, live.sha if live else None, datetime.now(UTC).date()))


def _environment(rules: ProjectRules, request: Request) -> str:
    return word(request, "environment") or rules.environment


def _before(line: StoredLine, rules: ProjectRules, request: Request) -> str:
    if request.query_params.get("before"):
        return wanted_commit(line, request, name="before")
    environment = _environment(rules, request)
    live = line.history.live(line.project, environment)
    if live is None:
        raise HTTPException(404, f"nothing of {line.project} is live in {environment}; give before")
    return live.sha


def _rows(table: "pd.DataFrame") -> Rows:
    """The rows of a table, None where it has no value."""
    named = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in named]
