"""Tell people that a run failed: written to the outbox first, then delivered, so that no notice is lost."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from infraaudit_assets.assets import group_of
from infraaudit_assets.domain.notices import Notice
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.jobs import delivery_name, pipeline_name
from resources.history import History
from resources.shells import HistoryResource, NotifierResource


def build_failure_sensor(projects: Sequence[Project]) -> dg.SensorDefinition:
    by_job = {name(project): project for project in projects for name in (pipeline_name, delivery_name)}

    @dg.run_failure_sensor(name="failed_runs", default_status=dg.DefaultSensorStatus.RUNNING)
    def failed_runs(context: dg.RunFailureSensorContext, history: HistoryResource, notifier: NotifierResource) -> None:
        run = context.dagster_run
        project = by_job.get(run.job_name)
        if project is None:
            return
        past = history.open()
        sha = run.tags.get("dagster/partition", "")
        past.enqueue_notice(
            _notice(past, project, sha, run.run_id, notifier.dagster_url, context.failure_event.message)
        )
        deliver_due(past, notifier, {project.name: project for project in projects}, context.log)

    return failed_runs


def deliver_due(past: History, notifier: NotifierResource, projects: dict[str, Project], log: logging.Logger) -> None:
    """Send what is in the outbox; what cannot be sent stays there, with the reason."""
    for notice in past.due_notices():
        log.warning("%s\n%s", notice.title, notice.body)
        fault = notifier.connect(projects[notice.project]).send(notice) if notice.project in projects else None
        past.mark_notice(notice.key, datetime.now(UTC), fault)


def _notice(past: History, project: Project, sha: str, run_id: str, dagster_url: str, message: str | None) -> Notice:
    reasons = past.reasons(project.name, sha, run_id)
    what = "\n".join(f"{name}: {reason}" for name, reason in reasons.items()) or message or "The run failed."
    return Notice(
        key=f"run-failed:{run_id}",
        project=project.name,
        title=f"{project.name}: the pipeline stopped at {sha[:12]}" + (f" ({group_of(project)})" if not sha else ""),
        body=f"{what}\n{dagster_url}/runs/{run_id}",
        urgency="failure",
    )
