"""Take a commit in: fetch the repository and record the commit, before any stage refers to it."""

from infraaudit_domain.commits import Commit
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror
from resources.history.store import History


def take_in(past: History, mirror: Mirror, project: Project, sha: str) -> Commit:
    """Fetch the repository and record one of its commits; every stage that may run first does this."""
    mirror.fetch()
    found = mirror.commit(sha)
    past.record_project(project)
    past.record_commit(project.name, found)
    return found
