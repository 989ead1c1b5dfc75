"""Take a commit in: fetch what the repository has, and record the commit before any stage speaks of it."""

from infraaudit_domain.commits import Commit
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror
from resources.history.store import History


def take_in(past: History, mirror: Mirror, project: Project, sha: str) -> Commit:
    """Fetch what the repository has and record a commit of it; every stage that may come first does it."""
    mirror.fetch()
    found = mirror.commit(sha)
    past.record_project(project)
    past.record_commit(project.name, found)
    return found
