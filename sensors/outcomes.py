"""Notify of failures and recoveries: written to the outbox first, then sent, so that no notice is lost.

One plain sensor handles everything new in one tick; a run status sensor of Dagster takes five runs a tick, which is
minutes for a backlog. The service sends too (service/notices.py): the outbox gives each notice to one of them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from infraaudit.notices.announcer import LOOK_BACK, Announcer
from infraaudit.notices.outgoing import send_notices
from infraaudit_domain.dagster_names import (
    PARTITION,
    delivery_name,
    fork_name,
    is_of_request,
    pipeline_name,
    request_name,
)
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.notices import Notice, run_failed
from resources.dagster.lost_runs import begins_again, why_it_failed
from resources.dagster.resources import GitResource, HistoryResource, NotifierResource
from resources.history import History
from resources.history.forge.expected import end_expected
from resources.history.outbox import write_notices
from resources.history.queries.events import stages_of_run

_SECONDS = 5
_SETTLING = timedelta(seconds=60)
"""Clocks of the database and this process may differ, so runs of this long ago are read again."""


def build_notice_sensor(projects: Sequence[Project]) -> dg.SensorDefinition:
    jobs = (pipeline_name, delivery_name, request_name, fork_name)
    by_job = {name(project): project for project in projects for name in jobs}
    by_name = {project.name: project for project in projects}

    @dg.sensor(
        name="notices",
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports failed stages, runs and deployments, and recoveries; sends the notices that are due.",
    )
    def notices(
        context: dg.SensorEvaluationContext, git: GitResource, history: HistoryResource, notifier: NotifierResource
    ) -> dg.SkipReason:
        past, now = history.connect(), datetime.now(UTC)
        announcer = Announcer(past, by_name, git.connect, notifier.dagster_url, notifier.service_url)
        since = datetime.fromisoformat(context.cursor) if context.cursor else now - LOOK_BACK
        died = list(_died(context.instance, past, by_job, announcer, since))
        written = announcer.announce(now) + write_notices(past, died)
        context.update_cursor((now - _SETTLING).isoformat())
        sent = send_notices(past, lambda name: notifier.connect(name, by_name))
        return dg.SkipReason(f"{written} new notices, {sent} sent.")

    return notices


def _died(
    instance: dg.DagsterInstance, past: History, by_job: dict[str, Project], announcer: Announcer, since: datetime
) -> Iterator[Notice]:
    """Runs that failed although none of their stages did: they could not start, however often, or were killed."""
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    for record in instance.get_run_records(failed, order_by="update_timestamp", ascending=True):
        run = record.dagster_run
        project = by_job.get(run.job_name)
        if project is None:
            continue
        said_why = StageOutcome.FAILED in stages_of_run(past, run.run_id).values()
        if not said_why and begins_again(instance, record):
            continue
        if project.forge and (sha := run.tags.get(PARTITION)):
            _show_end(past, project, sha)
        # A request's run is reported by its statuses alone: it is no news of a branch of ours.
        if said_why or is_of_request(project, run.job_name):
            continue
        commit = announcer.commit(project.name, run.tags.get(PARTITION, ""))
        yield run_failed(commit, run.run_id, why_it_failed(instance, run.run_id), announcer.run_link(run.run_id))


def _show_end(past: History, project: Project, sha: str) -> None:
    """Have the project's forge shown that nothing more is to be expected of a commit's run."""
    end_expected(past, project.name, sha)
