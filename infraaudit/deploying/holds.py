"""Whether a commit may go to an environment now: not in a freeze, and not without the approvals that it needs.

Deliberately absent: rejections, which deploy.py asks for whoever deploys, and the gates.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from infraaudit_domain.delivery.approvals import Approval, Leave, Standing, standing
from infraaudit_domain.delivery.deployments import Deployment, Hold, Outcome
from infraaudit_domain.delivery.freezes import frozen
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.projects import Environment, Project
from resources.git.mirror import Mirror
from resources.git.people import people_of
from resources.history import History
from resources.history.decisions.approvals import approvals_of, held_deployments
from resources.history.deployments import healthy_deployments


def holds(
    history: History, mirror: Mirror, project: Project, environment: Environment, sha: str
) -> Callable[[], Hold | None]:
    """The rule for :func:`infraaudit.deploying.deploy.deploy`, which asks it when the turn of the commit has come."""
    return lambda: hold_of(history, mirror, project, environment, sha, datetime.now(UTC))


def hold_of(
    history: History, mirror: Mirror, project: Project, environment: Environment, sha: str, now: datetime
) -> Hold | None:
    """Why a commit is not deployed now; None where it may be. Approvals come first: people need time to give them."""
    given = approvals_of(history, project.name, environment.name, sha)
    if environment.approval.number:
        authors = authors_of(history, mirror, project, environment, sha) if given else ()
        have = standing(environment.approval, given, sha, authors)
        if not have.is_enough:
            return Hold(Outcome.WAITING, _waits(project, environment, sha, have))
    now_frozen = frozen(environment.freeze, now)
    if now_frozen is None or any(_overrides(environment, one, now) for one in given):
        return None
    return Hold(
        Outcome.FROZEN,
        f"{now_frozen}; {sha[:12]} is deployed by itself afterwards, or now by `infraaudit deploy --override-freeze`",
    )


def _overrides(environment: Environment, given: Approval, now: datetime) -> bool:
    """Whether leave to deploy in a freeze counts: of one who may give it now, and until the freeze ends in which it was
    given."""
    if given.leave is not Leave.DESPITE_FREEZE or not environment.approval.has_approver(given.approved_by):
        return False
    then = frozen(environment.freeze, given.approved_at)
    return then is not None and (then.until is None or now < then.until)


def authors_of(
    history: History, mirror: Mirror, project: Project, environment: Environment, sha: str
) -> frozenset[str]:
    """What everybody goes by who wrote what a deployment would bring: every commit that what is live does not contain.

    The commit alone where nothing is live, or what is live contains it. Where a force-push took away what is live, what
    was healthy before it counts in its place, and all of the past where that is gone, too. Raises RepositoryError.
    """
    parents = mirror.existing(mirror.commit(sha).parents)
    alone = people_of(mirror.path, [sha], parents)
    healthy = [one.sha for one in healthy_deployments(history, project.name, environment.name)]
    if not healthy:
        return alone
    return alone | people_of(mirror.path, [sha], mirror.existing(healthy[:1]) or mirror.existing(healthy))


def free_to_continue(
    history: History, mirror: Mirror, project: Project, environment: Environment, now: datetime
) -> Iterator[Deployment]:
    """The waiting commits that may be deployed now, none before one that contains it.

    Those that the first contains are superseded once it is deployed; where it fails, the turn is theirs.
    """
    held = held_deployments(history, project.name, environment.name)
    there = set(mirror.existing([one.sha for one in held]))  # A force-push may have taken some away.
    free = [one for one in held if one.sha in there and _is_free(history, mirror, project, environment, one.sha, now)]
    while free:
        newest = next(
            one for one in free if not any(one is not two and _contains(mirror, two.sha, one.sha) for two in free)
        )
        yield newest
        free.remove(newest)


def _is_free(
    history: History, mirror: Mirror, project: Project, environment: Environment, sha: str, now: datetime
) -> bool:
    try:
        return hold_of(history, mirror, project, environment, sha, now) is None
    except RepositoryError:  # Who wrote what it brings cannot be found.
        return False


def supersede_held(history: History, mirror: Mirror, done: Deployment) -> None:
    """What waited to be deployed somewhere, and is part of what was deployed there now, waits no longer."""
    now = datetime.now(UTC)
    words = f"{done.sha[:12]}, which contains it, was deployed while it waited"
    for waiting in held_deployments(history, done.project, done.environment):
        if waiting.sha != done.sha and _contains(mirror, done.sha, waiting.sha):
            over = replace(waiting, outcome=Outcome.SUPERSEDED, reason=words, started_at=now, finished_at=now)
            history.record_deployment(over)


def _contains(mirror: Mirror, sha: str, older: str) -> bool:
    try:
        return mirror.is_ancestor(older, sha)
    except RepositoryError:  # A force-push took one of them away.
        return False


def _waits(project: Project, environment: Environment, sha: str, have: Standing) -> str:
    of = f" of {', '.join(environment.approval.approvers)}" if environment.approval.approvers else ""
    return (
        f"it waits for approval: it has {have}{of and f', which count from{of}'}; `infraaudit approve --project "
        f"{project.name} --environment {environment.name} --commit {sha[:12]} --reason …` gives one"
    )
