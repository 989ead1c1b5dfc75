"""Record that somebody lets a commit into an environment. Deliberately absent: proving who it is, and deploying."""

from dataclasses import dataclass
from datetime import UTC, datetime

from infraaudit.deploying.holds import authors_of
from infraaudit_domain.delivery.approvals import Approval, Leave, standing
from infraaudit_domain.delivery.freezes import frozen
from infraaudit_domain.errors import NotAllowedError
from infraaudit_domain.judging.audit_log import Actor
from infraaudit_domain.projects import Environment, Project
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.decisions.approvals import approvals_of
from resources.history.decisions.approvals import approve as record


@dataclass(frozen=True, slots=True)
class Approved:
    """How far the approvals of a commit have come."""

    project: str
    environment: str
    sha: str
    approved_by: str
    approvals: int
    needed: int

    @property
    def is_enough(self) -> bool:
        return self.approvals >= self.needed


def approve(
    history: History,
    mirror: Mirror,
    project: Project,
    environment: Environment,
    sha: str,
    name: str,
    reason: str,
    actor: Actor | None = None,
) -> Approved:
    """Record an approval. Raises NotAllowedError where it would not count: of an author, of no approver, or where none is asked for."""
    if not environment.approval.number:
        raise NotAllowedError(
            f"{environment.name} of {project.name} asks for no approvals; set approvals: N to ask for N."
        )
    _require_reason(reason)
    authors = authors_of(history, mirror, project, environment, sha)
    if why := environment.approval.refuses(name, authors):
        raise NotAllowedError(f"An approval of {sha[:12]} by {name} does not count in {environment.name}: {why}.")
    record(history, _given(project, environment, sha, Leave.DEPLOY, name, reason), actor)
    have = standing(environment.approval, approvals_of(history, project.name, environment.name, sha), sha, authors)
    return Approved(project.name, environment.name, sha, name, len(have.by), have.needed)


def override_freeze(
    history: History,
    project: Project,
    environment: Environment,
    sha: str,
    name: str,
    reason: str,
    actor: Actor | None = None,
) -> None:
    """Record that a commit may be deployed although its environment is frozen, where it is. Raises NotAllowedError."""
    _require_reason(reason)
    if not environment.approval.has_approver(name):
        able = ", ".join(environment.approval.approvers)
        raise NotAllowedError(f"{name} may not override a freeze of {environment.name}; {able} may.")
    given = _given(project, environment, sha, Leave.DESPITE_FREEZE, name, reason)
    if frozen(environment.freeze, given.approved_at):  # One that is kept for later would end a freeze unasked.
        record(history, given, actor)


def _given(project: Project, environment: Environment, sha: str, leave: Leave, name: str, reason: str) -> Approval:
    return Approval(project.name, environment.name, sha, leave, name, reason, datetime.now(UTC))


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise NotAllowedError("The reason is empty; say why, for whoever asks later who let this through.")
