"""Promote a commit automatically once it has been healthy in one environment for the time that the next one requires.

The cursor holds the watched commit and since when every check found it healthy; an unhealthy check starts that time
anew. What was rolled back by hand is not promoted again: its run key is used up, and the deployment asset keeps the
order (infraaudit_domain/delivery/deployments.py).
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from infraaudit_domain.dagster_names import promotion_key, promotion_name, run_tags
from infraaudit_domain.delivery.deployments import Watched
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Environment, Project
from resources.dagster.resources import HistoryResource, KubernetesResource


def build_promotion_sensors(project: Project, seconds: int) -> Iterator[dg.SensorDefinition]:
    """A sensor for each environment that commits are promoted to automatically."""
    for before, environment in zip(project.environments, project.environments[1:], strict=False):
        if environment.promote_after is not None:
            yield _build_sensor(project, before, environment, environment.promote_after, seconds)


def _build_sensor(
    project: Project, before: Environment, environment: Environment, after: float, seconds: int
) -> dg.SensorDefinition:
    @dg.sensor(
        name=promotion_name(project, environment),
        job_name=promotion_name(project, environment),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Promotes {project.name} to {environment.name} after {after:g} s of health in {before.name}.",
    )
    def promotion(
        context: dg.SensorEvaluationContext, history: HistoryResource, kubernetes: KubernetesResource
    ) -> dg.RunRequest | dg.SkipReason:
        past = history.connect()
        live, there = past.live(project.name, before.name), past.live(project.name, environment.name)
        if live is None or (there is not None and there.sha == live.sha):
            return dg.SkipReason(f"Nothing in {before.name} is new to {environment.name}.")
        try:
            now = kubernetes.connect(before, live).probe(project.name, before.name)
        except InfraAuditError as error:
            context.update_cursor("")
            return dg.SkipReason(f"{live.sha[:12]} cannot be looked at in {before.name}: {error}")
        if not now.healthy:
            context.update_cursor("")
            return dg.SkipReason(f"{live.sha[:12]} is not healthy in {before.name}: {now.reason}")
        watched = _watched(context.cursor, live.sha)
        context.update_cursor(json.dumps([watched.sha, watched.healthy_since.isoformat()]))
        if not watched.is_due(after, datetime.now(UTC)):
            return dg.SkipReason(f"{live.sha[:12]} is healthy since {watched.healthy_since:%H:%M:%S} UTC.")
        return dg.RunRequest(
            run_key=promotion_key(project, environment, live.sha),
            partition_key=live.sha,
            tags=run_tags(live.sha),
        )

    return promotion


def _watched(cursor: str | None, sha: str) -> Watched:
    known = json.loads(cursor) if cursor else None
    if known and known[0] == sha:
        return Watched(sha, datetime.fromisoformat(known[1]))
    return Watched(sha, datetime.now(UTC))
