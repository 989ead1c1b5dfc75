"""The `no_drift` check of a deployment asset: does what runs still equal what was deployed?

It belongs to the environment and not to one commit, so it has no partition; a schedule runs it (sensors/watch.py).
"""

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


def build_drift_check(project: Project, key_prefix: list[str], environment: Environment) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey([*key_prefix, deployment_name(project, environment)]),
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
        if not found.healthy:
            return _result(False, f"{found.live.sha[:12]} is not healthy: {found.reason}", commit=found.live.sha)
        drift = [str(difference) for difference in found.drift or ()]
        if drift and environment.self_heal:
            try:
                target, mirror = kubernetes.connect(environment, found.live), git.connect(project)
                seconds = kubernetes.rollout_seconds
                done = heal(past, mirror, target, found.live, timeout=seconds, on_progress=context.log.info)
            except InfraAuditError as error:
                return _result(False, f"{len(drift)} fields differ, and could not be put right: {error}")
            words = f"{len(drift)} fields differed; they were put right" if done.is_live else done.reason
            return _result(done.is_live, words, commit=found.live.sha, drift=code("\n".join(drift)))
        if notice := drifted(project.name, environment.name, found.live.sha, drift):
            write_notices(past, [notice])
        said = f"{len(drift)} fields differ" if drift else f"{found.live.sha[:12]} runs as it was deployed"
        return _result(not drift, said, commit=found.live.sha, drift=code("\n".join(drift) or "none"))

    return no_drift


def _result(passed: bool, description: str, **metadata: Any) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.WARN, description=description, metadata=metadata
    )
