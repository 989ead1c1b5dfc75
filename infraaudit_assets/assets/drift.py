"""The `no_drift` check of a deployment asset: is what runs healthy, and as it was deployed?

It belongs to the environment and not to one commit, so it has no partition. The service evaluates it every few minutes
and reports what changed (service/workers/watch_worker.py); run by hand, it looks at once.
"""

from datetime import UTC, datetime

import dagster as dg

from infraaudit.deploying.look import look_after
from infraaudit_assets.assets.tables import code
from infraaudit_domain.dagster_names import NO_DRIFT, deployment_name
from infraaudit_domain.projects import Environment, Project
from resources.dagster.resources import GitResource, HistoryResource, KubernetesResource
from resources.history.looks import last_seen, note_look


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
        before = last_seen(past, project.name, environment.name).look
        look = look_after(
            past,
            git.connect(project),
            project,
            environment,
            lambda live: kubernetes.connect(environment, live),
            healed_before=before.healed if before else "",
            timeout=kubernetes.rollout_seconds,
            on_progress=context.log.info,
        )
        if look is None:
            raise dg.Failure(f"{environment.name} is being deployed to; look again afterwards.", allow_retries=False)
        note_look(past, project.name, environment.name, look, datetime.now(UTC))
        return dg.AssetCheckResult(
            passed=look.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=look.words,
            metadata={"commit": look.sha, "drift": code("\n".join(look.drift) or "none")} if look.sha else {},
        )

    return no_drift
