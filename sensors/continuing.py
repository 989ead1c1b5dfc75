"""Deploy what waited: for the end of a freeze, or for approvals that it has by now.

The gates are asked again, as by every run of the deployment asset. Deliberately absent: what has to wait
(infraaudit/deploying/holds.py).
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from infraaudit.deploying.holds import next_to_continue
from infraaudit_domain.dagster_names import continue_key, continue_name, delivery_name, promotion_name, run_tags
from infraaudit_domain.projects import Environment, Project
from resources.dagster.partitions import commits_of
from resources.dagster.resources import GitResource, HistoryResource


def build_continuing_sensors(project: Project, seconds: int) -> Iterator[dg.SensorDefinition]:
    """A sensor for each environment in which commits may have to wait."""
    for environment in project.environments:
        if environment.may_hold:
            yield _build_sensor(project, environment, seconds)


def _build_sensor(project: Project, environment: Environment, seconds: int) -> dg.SensorDefinition:
    is_first = environment is project.environment

    @dg.sensor(
        name=continue_name(project, environment),
        job_name=delivery_name(project) if is_first else promotion_name(project, environment),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Deploys commits of {project.name} to {environment.name} that waited for approval or a freeze.",
    )
    def continuing(
        context: dg.SensorEvaluationContext, git: GitResource, history: HistoryResource
    ) -> dg.SensorResult | dg.SkipReason:
        held = next_to_continue(history.connect(), git.connect(project), project, environment, datetime.now(UTC))
        if held is None:
            return dg.SkipReason(f"Nothing that waits for {environment.name} may be deployed to it now.")
        request = dg.RunRequest(run_key=continue_key(held), partition_key=held.sha, tags=run_tags(held.sha))
        # One that a person promoted may never have had a run.
        return dg.SensorResult(
            [request], dynamic_partitions_requests=[commits_of(project).build_add_request([held.sha])]
        )

    return continuing
