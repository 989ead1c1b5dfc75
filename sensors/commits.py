"""The Git sensor: one partition and one run for each new commit of the configured branches.

What is new is decided in infraaudit/intake/new_commits.py; this requests the runs. A failed fetch fails the tick, one
that takes long skips it, and the cursor stays where it is. A run that is requested twice, here or by the webhook, is
enqueued once.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from infraaudit.intake.new_commits import Cursor, look, reasons_to_skip
from infraaudit_domain.dagster_names import (
    BRANCH,
    PARTITION,
    RUN_KEY,
    delivery_key,
    delivery_name,
    pipeline_name,
    run_key,
    run_tags,
    sensor_name,
)
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.forge.statuses import expected_of
from infraaudit_domain.projects import Project
from infraaudit_domain.triggers import GitEvent
from resources.dagster.jobs import AssetJob
from resources.dagster.lost_runs import lost_in_terminals
from resources.dagster.partitions import commits_of
from resources.dagster.resources import GitResource, HistoryResource
from resources.dagster.run_queue import cancel_queued, requeue_unlaunched, submit_forgotten
from resources.git.fetches import Fetches
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.forge.expected import end_expected, expect_statuses
from resources.history.git_events import record_git_events, recorded_commits, requested_heads

_FETCH_SECONDS = 5.0
"""How long a tick waits for its fetch: the ticks of all projects share the daemon's threads."""
_FETCHES = Fetches()


def build_commit_sensor(project: Project, jobs: Sequence[AssetJob], seconds: int) -> dg.SensorDefinition:
    """The Git sensor of a project; ``jobs`` are those of the project, ``seconds`` the shortest time between looks."""

    @dg.sensor(
        name=sensor_name(project),
        jobs=jobs,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts one run for each new commit of {project.name} on {', '.join(project.branches)}.",
    )
    def commits(context: dg.SensorEvaluationContext, git: GitResource, history: HistoryResource) -> dg.SensorResult:
        if project.fault:
            raise ConfigurationError(project.fault)
        submit_forgotten(context.instance, sensor_name(project))
        requeue_unlaunched(context.instance, sensor_name(project))
        mirror = git.connect(project)
        if why := _FETCHES.fetch(mirror, _FETCH_SECONDS):
            return dg.SensorResult(skip_reason=why)
        past = history.connect()
        before = Cursor.parse(context.cursor)
        found = look(
            mirror,
            project,
            before,
            recorded=lambda: recorded_commits(past, project.name),
            begun=lambda: _begun(context.instance, past, project),
        )
        skipped = reasons_to_skip(mirror, project, list(found.new))
        wanted = {sha: branch for sha, branch in found.new.items() if sha not in skipped}
        events = [*found.events, *(GitEvent("skipped", found.new[s], "", s, why) for s, why in skipped.items())]
        if project.supersede:
            events += _supersede(context.instance, mirror, project, wanted)
        record_git_events(past, project.name, events)
        if project.forge:
            _show(past, project, list(wanted), events)
        for event in events:
            context.log.info(f"{event.branch}: {event.kind} {event.before} {event.after} {event.reason}")
        requests = [
            dg.RunRequest(
                job_name=pipeline_name(project),
                run_key=run_key(project, sha),
                partition_key=sha,
                tags=run_tags(sha, branch),
            )
            for sha, branch in wanted.items()
        ]
        again = list(_run_again(context.instance, project))
        cursor, delivery = _delivery(context.instance, mirror, project, before, found.cursor, wanted)
        return dg.SensorResult(
            run_requests=[*requests, *delivery, *again],
            dynamic_partitions_requests=[commits_of(project).build_add_request(list(wanted))] if wanted else [],
            cursor=str(cursor),
            skip_reason=None if requests or delivery or again else _nothing_new(project, found.cursor, skipped),
        )

    return commits


def _begun(instance: dg.DagsterInstance, past: History, project: Project) -> list[str]:
    """The partitions of commits that were on a branch: below the head of a request may be what never ran."""
    heads = requested_heads(past, project.name)
    return [sha for sha in instance.get_dynamic_partitions(commits_of(project).name or "") if sha not in heads]


def _show(history: History, project: Project, wanted: Sequence[str], events: Sequence[GitEvent]) -> None:
    """Have the project's forge shown which commits are going to run, and which no longer are."""
    expect_statuses(history, project.name, wanted, expected_of(project))
    for event in events:
        if event.kind == "superseded":
            end_expected(history, project.name, event.before, f"Not run: superseded by {event.after[:12]}")


def _run_again(instance: dg.DagsterInstance, project: Project) -> Iterator[dg.RunRequest]:
    """Commits whose run in a terminal was killed."""
    for key, run in lost_in_terminals(instance, sensor_name(project)).items():
        sha = run.tags[PARTITION]
        instance.report_engine_event("Its process was killed in a terminal; its commit runs again.", run)
        yield dg.RunRequest(
            job_name=pipeline_name(project),
            run_key=key,
            partition_key=sha,
            tags=run_tags(sha, run.tags.get(BRANCH, "")),
        )


def _nothing_new(project: Project, cursor: Cursor, skipped: Mapping[str, str]) -> str:
    if not cursor.tips:
        return f"{project.name} has no branch that matches {', '.join(project.branches)}."
    reasons = "; ".join(f"{sha[:12]}: {reason}" for sha, reason in skipped.items())
    return f"No run for {reasons}." if reasons else "No new commit."


def _supersede(
    instance: dg.DagsterInstance, mirror: Mirror, project: Project, wanted: Mapping[str, str]
) -> Iterator[GitEvent]:
    """Cancel queued runs of commits that a newer commit of the same branch has in its history."""
    queued = instance.get_runs(dg.RunsFilter(job_name=pipeline_name(project), statuses=[dg.DagsterRunStatus.QUEUED]))
    for branch in {run.tags.get(BRANCH, "") for run in queued} - {""}:
        runs = {run.tags[PARTITION]: run for run in queued if run.tags.get(BRANCH) == branch}
        newest = mirror.heads([*runs, *(sha for sha, found_on in wanted.items() if found_on == branch)])
        for sha, run in runs.items():
            newer = next((head for head in newest if sha != head and mirror.is_ancestor(sha, head)), None)
            reason = f"superseded by {newer} on {branch}"
            if newer is not None and cancel_queued(instance, run, f"{sha[:12]} was {reason}."):
                yield GitEvent("superseded", branch, sha, newer, reason)


def _delivery(
    instance: dg.DagsterInstance,
    mirror: Mirror,
    project: Project,
    before: Cursor,
    after: Cursor,
    wanted: Mapping[str, str],
) -> tuple[Cursor, list[dg.RunRequest]]:
    """Deliver a commit that ran on another branch and has now reached the deploy branch without a new commit.

    It ran once and was not deployed then. Until that run ends, the cursor of the deploy branch stays where it is.
    """
    branch = project.deploy_branch
    old, tip = before.tips.get(branch), after.tips.get(branch)
    if not old or not tip or tip in (old, *wanted) or " " in tip or _went_back(mirror, old, tip):
        return after, []
    runs = instance.get_runs(dg.RunsFilter(job_name=pipeline_name(project), tags={RUN_KEY: run_key(project, tip)}))
    if any(not run.is_finished for run in runs):
        return Cursor({**after.tips, branch: old}, after.gone), []
    if not any(run.is_success for run in runs):
        return after, []
    request = dg.RunRequest(
        job_name=delivery_name(project),
        run_key=delivery_key(project, tip),
        partition_key=tip,
        tags=run_tags(tip, branch),
    )
    return after, [request]


def _went_back(mirror: Mirror, old: str, tip: str) -> bool:
    return any(mirror.is_ancestor(tip, sha) for sha in mirror.existing(old.split()))
