"""The schedule that checks what is live: new log lines, and drift."""

import dagster as dg

from infraaudit_domain.dagster_names import run_tags, watch_name
from infraaudit_domain.projects import Project
from resources.dagster.resources import HistoryResource


def build_watch_schedule(project: Project, minutes: int) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=watch_name(project),
        job_name=watch_name(project),
        cron_schedule=f"*/{minutes} * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Collects the logs of {project.name} and compares what runs with what was deployed.",
    )
    def watch(context: dg.ScheduleEvaluationContext, history: HistoryResource) -> dg.RunRequest | dg.SkipReason:
        past = history.connect()
        found = (past.live(project.name, environment.name) for environment in project.environments)
        live = next((deployment for deployment in found if deployment is not None), None)
        if live is None:
            return dg.SkipReason(f"Nothing of {project.name} is live.")
        return dg.RunRequest(partition_key=live.sha, tags=run_tags(live.sha))

    return watch
