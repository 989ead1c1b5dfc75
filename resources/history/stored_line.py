"""A branch's first-parent line as it was last followed: enough for every question that does not need Git.

Deliberately absent: following it (infraaudit/scans/lifecycles.py), which every run does.
"""

import sqlalchemy as sa

from infraaudit_domain.errors import HistoryError
from resources.history import schema
from resources.history.store import History


class StoredLine:
    """The commits of one branch, oldest first; positions count from 0."""

    def __init__(self, history: History, project: str, branch: str, shas: list[str]) -> None:
        self.history, self.project, self.branch, self.shas = history, project, branch, shas

    def positions(self) -> dict[str, int]:
        """The position of every commit, by SHA."""
        return {sha: position for position, sha in enumerate(self.shas)}

    def is_in(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """The rows of a table that belong to this line."""
        return (table.c.project == self.project) & (table.c.branch == self.branch)


def stored_line(history: History, project: str, branch: str = "") -> StoredLine:
    """The line of one of a project's branches, by default of the one that is deployed.

    Raises HistoryError where the project was never recorded.
    """
    lines, projects = schema.line_commits, schema.projects
    deployed = sa.select(projects.c.deploy_branch).where(projects.c.name == project)
    with history.reading() as connection:
        followed: str | None = branch or connection.execute(deployed).scalar()
        if followed is None:
            raise HistoryError(
                f"{project} is not in the history. Run: infraaudit run --project {project} --commit HEAD"
            )
        query = sa.select(lines.c.sha).where(lines.c.project == project, lines.c.branch == followed)
        shas = list(connection.execute(query.order_by(lines.c.position)).scalars())
    return StoredLine(history, project, followed, shas)
