"""Look after what is live in an environment: is it healthy and as it was deployed? Put drift right where that is wished.

Deliberately absent: when (service/workers/watch_worker.py), and how Dagster shows it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from infraaudit.deploying.cut_off import close_dead
from infraaudit.deploying.live_state import LiveState, look_at
from infraaudit.deploying.self_heal import heal
from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.delivery.looks import Look, mark_of
from infraaudit_domain.errors import InfraAuditError, excerpt
from infraaudit_domain.projects import Environment, Project
from infraaudit_domain.reporting.notices import drifted
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.deployments import is_under_way
from resources.history.outbox import write_notices
from resources.targets.target import Target

_LONGEST = 4000
"""Characters of the words of a look, and of each difference."""
_MOST = 200
"""Differences of a look that are kept."""
_ROLLOUT = timedelta(hours=1)
"""How long an attempt is taken to be under way, beside what the environment lets it soak and be analysed."""


def is_changing(history: History, project: Project, environment: Environment) -> bool:
    """Whether a deployment is under way: what runs is neither what is live nor what will be."""
    longest = _ROLLOUT + timedelta(seconds=environment.soak + environment.analysis.lasts)
    return is_under_way(history, project.name, environment.name, datetime.now(UTC) - longest)


def look_after(
    history: History,
    mirror: Mirror,
    project: Project,
    environment: Environment,
    connect: Callable[[Deployment], Target],
    *,
    healed_before: str,
    timeout: float,
    on_progress: Callable[[str], None],
) -> Look | None:
    """What is found, after drift was put right where ``self_heal`` says so; what cannot be compared has not passed.

    None where a deployment is under way, or one began while it was looked: nothing that was seen means anything then.
    ``healed_before`` is the mark of the look before: what was put right and came back is left until it changes.
    ``timeout`` is in seconds, for putting right.
    """
    if is_changing(history, project, environment):
        return None
    close_dead(history, mirror, project.name, environment.name)
    live = history.live(project.name, environment.name)
    try:
        found = look_at(history, project, environment, connect)
    except InfraAuditError as error:
        if _has_changed(history, project, environment, live):
            return None
        return Look(False, excerpt(f"It could not be compared: {error}", _LONGEST), healed=healed_before)
    if found.live is None:
        return Look(True, "Nothing is deployed yet.")
    if _has_changed(history, project, environment, live):
        return None
    every = [str(difference) for difference in found.drift or ()]
    drift = tuple(excerpt(difference, _LONGEST) for difference in every[:_MOST])
    is_to_heal = bool(drift) and environment.self_heal
    came_back = is_to_heal and healed_before == mark_of(drift)
    if is_to_heal and not came_back:
        return _put_right(history, mirror, connect, found.live, drift, len(every), timeout, on_progress)
    if notice := drifted(project.name, environment.name, found.live.sha, every):
        write_notices(history, [notice])
    look = _judged(found, found.live.sha, drift, came_back)
    return replace(look, healed=healed_before) if came_back else look


def _has_changed(history: History, project: Project, environment: Environment, live: Deployment | None) -> bool:
    return history.live(project.name, environment.name) != live or is_changing(history, project, environment)


def _judged(found: LiveState, sha: str, drift: tuple[str, ...], came_back: bool) -> Look:
    if drift:
        words = _differences(len(found.drift or ()))
    else:
        words = f"{sha[:12]} runs" if found.drift is None else f"{sha[:12]} runs as it was deployed"
    words += "; they were put right and came back, so they are left until they change" if came_back else ""
    words = words if found.healthy else f"{sha[:12]} is not healthy: {found.reason}\n{words}"
    return Look(found.healthy and not drift, excerpt(words, _LONGEST), sha, drift)


def _put_right(
    history: History,
    mirror: Mirror,
    connect: Callable[[Deployment], Target],
    live: Deployment,
    drift: tuple[str, ...],
    number: int,
    timeout: float,
    on_progress: Callable[[str], None],
) -> Look:
    try:
        done = heal(history, mirror, connect(live), live, timeout=timeout, on_progress=on_progress)
    except InfraAuditError as error:
        words = f"{_differences(number)} could not be put right: {error}"
        return Look(False, excerpt(words, _LONGEST), live.sha, drift)
    words = f"put right: {_differences(number)}" if done.is_live else done.reason
    return Look(done.is_live, words, live.sha, drift, mark_of(drift) if done.is_live else "")


def _differences(number: int) -> str:
    return f"{number} {'difference' if number == 1 else 'differences'} from what was deployed"
