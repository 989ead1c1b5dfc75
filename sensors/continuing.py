"""Deploy what waited: for the end of a freeze, or for approvals that it has by now.

The gates are asked again, as by every run of the deployment asset. Deliberately absent: what has to wait
(infraaudit/deploying/holds.py).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from infraaudit.deploying.holds import free_to_continue
from infraaudit_domain.dagster_names import (
    PARTITION,
    RUN_KEY,
    continue_key,
    continue_name,
    delivery_name,
    pipeline_name,
    promotion_name,
    run_tags,
)
from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.projects import Environment, Project
from resources.dagster.partitions import commits_of
from resources.dagster.resources import GitResource, HistoryResource

_PAUSE, _DOUBLINGS = timedelta(minutes=10), 7
"""Between runs of one that still waits after them: at first, and how often it doubles, to somewhat less than a day."""
_RUNS = 100


def build_continuing_sensors(project: Project, seconds: int) -> Iterator[dg.SensorDefinition]:
    """A sensor for each environment, also for one without rules: they may be removed while a commit waits."""
    for environment in project.environments:
        yield _build_sensor(project, environment, seconds)


def _build_sensor(project: Project, environment: Environment, seconds: int) -> dg.SensorDefinition:
    is_first = environment is project.environment
    job = delivery_name(project) if is_first else promotion_name(project, environment)

    @dg.sensor(
        name=continue_name(project, environment),
        job_name=job,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Deploys commits of {project.name} to {environment.name} that waited for approval or a freeze.",
    )
    def continuing(
        context: dg.SensorEvaluationContext, git: GitResource, history: HistoryResource
    ) -> dg.SensorResult | dg.SkipReason:
        now = datetime.now(UTC)
        free = free_to_continue(history.connect(), git.connect(project), project, environment, now)
        request = _request(context.instance, free, {job, pipeline_name(project)} if is_first else {job}, now)
        if isinstance(request, dg.SkipReason):
            return request
        # One that a person promoted may never have had a run.
        partitions = commits_of(project).build_add_request([request.partition_key or ""])
        return dg.SensorResult([request], dynamic_partitions_requests=[partitions])

    return continuing


def _request(
    instance: dg.DagsterInstance, free: Iterable[Deployment], jobs: set[str], now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """A run of the first that none is under way of; one whose run left it waiting is tried again after a pause."""
    why = "Nothing that waits may be deployed now."
    for held in free:
        records = instance.get_run_records(dg.RunsFilter(tags={PARTITION: held.sha}), limit=_RUNS)
        runs = [record for record in records if record.dagster_run.job_name in jobs]
        if any(not record.dagster_run.is_finished for record in runs):
            return dg.SkipReason(f"A run of {held.sha[:12]}, which waited, is under way.")
        key = continue_key(held)
        tries = [record for record in runs if record.dagster_run.tags.get(RUN_KEY, "").startswith(key)]
        if not tries or now >= _ended(tries[0]) + _PAUSE * 2 ** min(len(tries) - 1, _DOUBLINGS):
            again = f":{len(tries)}" if tries else ""
            return dg.RunRequest(run_key=f"{key}{again}", partition_key=held.sha, tags=run_tags(held.sha))
        why = f"{held.sha[:12]} waits still after a run of its own, and is tried again later."
    return dg.SkipReason(why)


def _ended(record: dg.RunRecord) -> datetime:
    return (
        datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp.replace(tzinfo=UTC)
    )
