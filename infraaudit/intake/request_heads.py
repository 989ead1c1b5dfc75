"""Have the mirror hold the head of a request, which is on no branch of ours yet, and may be a stranger's."""

from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.forge.change_requests import head_ref
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror


def require_ours(mirror: Mirror, project: Project, sha: str) -> None:
    """Only what is on a branch of ours is built: what was fetched for a fork is in the mirror too. Raises RepositoryError."""
    tips = set(mirror.branches().values())
    if sha not in tips and not (mirror.existing([sha]) and any(mirror.is_ancestor(sha, tip) for tip in tips)):
        raise RepositoryError(f"{sha[:12]} is on no branch of {project.name}, so that nothing of it is built.")


def bring_head(mirror: Mirror, project: Project, number: int, sha: str) -> None:
    """Fetch the head of a request where the mirror, which is up to date, does not have it. Raises RepositoryError."""
    ref = head_ref(project.forge.kind, number) if project.forge else None
    if mirror.existing([sha]):
        return
    if ref is None:
        raise RepositoryError(
            f"The head of request {number} is on no branch of {project.name}, and its forge shows it in no other ref."
        )
    mirror.fetch_beside(ref)
    if not mirror.existing([sha]):
        raise RepositoryError(
            f"{ref} of {project.name} is no longer at {sha[:12]}; what is there is read once the forge tells of it."
        )
