"""The `no_drift` check of a deployment asset: does what runs still equal what was deployed?

It belongs to the environment and not to one commit, so it has no partition; a schedule runs it (sensors/watch.py).
"""

import hashlib
from typing import Any

import dagster as dg

from infraaudit.deploying.live_state import look_at
from infraaudit.deploying.self_heal import heal
from infraaudit_assets.assets.checks import NO_DRIFT
from infraaudit_assets.assets.tables import code
from infraaudit_domain.dagster_names import deployment_name
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Environment, Project
from infraaudit_domain.reporting.notices import drifted
from resources.dagster.resources import GitResource, HistoryResource, KubernetesResource
from resources.history.outbox import write_notices

_HEALED = "healed"
"""The metadata with a mark of the drift that was put right, at this look or before."""


def build_drift_check(project: Project, key_prefix: list[str], environment: Environment) -> dg.AssetChecksDefinition:
    asset = dg.AssetKey([*key_prefix, deployment_name(project, environment)])

    @dg.asset_check(
        asset=asset,
        name=NO_DRIFT,
        description=f"What runs in {environment.name} is what was deployed: images, replicas, every field.",
    )
    def no_drift(
        context: dg.AssetCheckExecutionContext,
        git: GitResource,
        kubernetes: KubernetesResource,
        history: HistoryResource,
    ) -> dg.AssetCheckResult:
        past = history.connect()
        try:
            found = look_at(past, project, environment, lambda live: kubernetes.connect(environment, live))
        except InfraAuditError as error:  # What cannot be compared is not taken for equal.
            return _result(False, f"It could not be compared: {error}")
        if found.live is None:
            return _result(True, "Nothing is deployed yet.")
        drift = [str(difference) for difference in found.drift or ()]
        about: dict[str, Any] = {"commit": found.live.sha, "drift": code("\n".join(drift) or "none")}
        is_to_heal = bool(drift) and environment.self_heal
        came_back = is_to_heal and _healed_at_the_last_look(context.instance, asset) == _mark(drift)
        if is_to_heal and not came_back:
            try:
                target, mirror = kubernetes.connect(environment, found.live), git.connect(project)
                seconds = kubernetes.rollout_seconds
                done = heal(past, mirror, target, found.live, timeout=seconds, on_progress=context.log.info)
            except InfraAuditError as error:
                return _result(False, f"{len(drift)} fields differ, and could not be put right: {error}")
            healed = {_HEALED: _mark(drift)} if done.is_live else {}
            words = f"{len(drift)} fields differed; they were put right" if done.is_live else done.reason
            return _result(done.is_live, words, **about, **healed)
        if notice := drifted(project.name, environment.name, found.live.sha, drift):
            write_notices(past, [notice])
        about |= {_HEALED: _mark(drift)} if came_back else {}
        said = f"{len(drift)} fields differ" if drift else f"{found.live.sha[:12]} runs as it was deployed"
        said += "; they were put right and came back, so they are left until they change" if came_back else ""
        said = said if found.healthy else f"{found.live.sha[:12]} is not healthy: {found.reason}\n{said}"
        return _result(found.healthy and not drift, said, **about)

    return no_drift


def _mark(drift: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(drift)).encode()).hexdigest()[:16]


def _healed_at_the_last_look(instance: dg.DagsterInstance, asset: dg.AssetKey) -> str:
    """The mark of what was put right then, or had come back; empty where there was none."""
    key = dg.AssetCheckKey(asset, NO_DRIFT)
    looks = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    events = (look.event.dagster_event for look in looks if look.event)
    found = (event.event_specific_data for event in events if event)
    # The look that has just begun is the newest, and not evaluated yet.
    last = next((one for one in found if isinstance(one, dg.AssetCheckEvaluation)), None)
    mark = last.metadata.get(_HEALED) if last else None
    return str(mark.value) if mark else ""


def _result(passed: bool, description: str, **metadata: Any) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.WARN, description=description, metadata=metadata
    )
