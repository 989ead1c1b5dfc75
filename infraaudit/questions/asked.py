"""A question as it is asked: of which project, with which values, and by whom's rules."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from infraaudit.questions.parameters import moment
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.errors import NotThereError
from infraaudit_domain.judging.acceptances import AcceptedGap, AcceptedHiding
from infraaudit_domain.judging.gate import GatePolicy
from infraaudit_domain.judging.suppressions import Suppression
from infraaudit_domain.projects import Paths
from infraaudit_domain.reporting.remedies import NO_REMEDIES, Remedies
from infraaudit_domain.scans.findings import Severity
from resources.git.mirror import Mirror
from resources.history import History, schema
from resources.history.queries.commit_findings import newest_scanned
from resources.history.queries.environments import environments
from resources.history.stored_line import StoredLine

Row = dict[str, Any]
Page = tuple[Sequence[Row], int]
"""Some rows, and how many there are in all."""
EVERY_ROW = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """What the configuration says of a project, as it is now."""

    environment: str = "production"
    """The first one."""
    suppressions: Sequence[Suppression] = ()
    accepted_gaps: Sequence[AcceptedGap] = ()
    accepted_hidings: Sequence[AcceptedHiding] = ()
    """Of the project; those of every project are the gate's."""
    gate: GatePolicy = field(default_factory=GatePolicy)
    max_age_days: Mapping[Severity, float] = field(default_factory=dict)
    mirror: Mirror | None = None
    url: str = ""
    """Of the repository."""
    checkov_config: str = Paths().checkov_config
    """Where a commit's Checkov configuration is."""
    remedies: Remedies = NO_REMEDIES


@dataclass(frozen=True, slots=True)
class Asked:
    """``given`` has the values of the question's parameters; one that is missing, or empty, was not given.

    A line that follows Git (:class:`Line`) knows every branch and tag, and commits beside the branch; one that is only
    stored knows what the history has.
    """

    line: StoredLine
    rules: ProjectRules
    now: datetime
    given: Mapping[str, Any] = field(default_factory=dict)
    limit: int = EVERY_ROW
    offset: int = 0

    @property
    def history(self) -> History:
        return self.line.history

    @property
    def project(self) -> str:
        return self.line.project

    def text(self, name: str) -> str:
        return str(self.given.get(name) or "")

    def moment(self, name: str, end: bool = False) -> datetime | None:
        return moment(self.text(name), end)

    def environment(self) -> str:
        """The one that is asked for; by default the first one of the project."""
        return self.text("environment") or self.rules.environment

    def environments(self) -> list[str]:
        """Those with a deployment, or the one of them that is asked for."""
        wanted = self.text("environment")
        names = [name for project, name in environments(self.history) if project == self.project]
        return [name for name in names if wanted in ("", name)]

    def commit(self, *names: str) -> str:
        """The commit that the first of these parameters names which was given; by default the newest.

        The newest is the head of a line that follows Git, else the newest scanned commit; empty where there is none.
        """
        given = next(filter(None, map(self.text, names)), "head")
        if given == "live":
            return self.live()
        if given != "head":
            return self._resolved(given)
        if isinstance(self.line, Line):
            return self.line.shas[-1]
        newest = newest_scanned(self.line)
        return newest.sha if newest else ""

    def commit_or_live(self) -> str:
        """The one that ``commit``, ``at`` or ``live`` names. Raises NotThereError where several do."""
        named = [name for name in ("commit", "at") if self.text(name)]
        if len(named) + bool(self.given.get("live")) > 1:
            raise NotThereError("commit, at and live exclude each other; give one of them.")
        return self.live() if self.given.get("live") else self.commit(*named)

    def live(self) -> str:
        """What is deployed now. Raises NotThereError."""
        environment = self.environment()
        live = self.history.live(self.project, environment)
        if live is None:
            raise NotThereError(f"Nothing of {self.project} is live in {environment}; give a commit instead.")
        return live.sha

    def line_with_git(self) -> Line:
        """The line with the mirror beside it; it is not followed where it was not. Raises NotThereError."""
        if isinstance(self.line, Line):
            return self.line
        if self.rules.mirror is None:
            raise NotThereError(f"There is no mirror of {self.project} here.")
        line = Line(self.history, self.rules.mirror, self.project, self.line.branch)
        line.shas = self.line.shas
        return line

    def _resolved(self, given: str) -> str:
        if isinstance(self.line, Line):
            return self.line.mirror.resolve(given)
        if not re.fullmatch(r"[0-9a-f]{7,64}", given):
            raise ValueError("a commit is 7 to 64 hexadecimal digits, live or head")
        table = schema.commits
        query = sa.select(table.c.sha).where(table.c.project == self.project, table.c.sha.startswith(given)).limit(2)
        found = self.history.rows(query)
        if len(found) != 1:
            raise NotThereError("There is no such commit, or more than one that begins so.")
        return str(found[0]["sha"])

    def cut(self, rows: Sequence[Row]) -> Page:
        """The page that is asked for of rows that are all there."""
        return rows[self.offset : self.offset + self.limit], len(rows)
