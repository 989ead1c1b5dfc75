"""The schedule that keeps looking at what is live: new log lines, and drift."""

import dagster as dg

from infraaudit_assets.domain.projects import Project
from infraaudit_assets.jobs import watch_name
from resources.shells import HistoryResource


def build_watch_schedule(project: Project, minutes: int) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=watch_name(project),
        job_name=watch_name(project),
        cron_schedule=f"*/{minutes} * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Collects the logs of {project.name} and compares what runs with what was deployed.",
    )
    def watch(context: dg.ScheduleEvaluationContext, history: HistoryResource) -> dg.RunRequest | dg.SkipReason:
        past = history.open()
        found = (past.live(project.name, place.name) for place in project.environments)
        live = next((deployment for deployment in found if deployment is not None), None)
        if live is None:
            return dg.SkipReason(f"Nothing of {project.name} is live.")
        return dg.RunRequest(partition_key=live.sha, tags={"infraaudit/commit": live.sha})

    return watch
