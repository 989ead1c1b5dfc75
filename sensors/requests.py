"""The sensor of pull and merge requests: a run for each new head, and a verdict once that has ended.

A head is never on a branch of ours: its run neither deploys nor enters trends. A queued run whose head no open request has
any more is cancelled. Deliberately absent: what forges say (service/webhook.py) and what may be done with a head
(infraaudit_domain/forge/change_requests.py).
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg

from infraaudit.forge.request_judging import judge_head
from infraaudit.forge.requests import show_step
from infraaudit.intake.request_heads import bring_head
from infraaudit_domain.dagster_names import (
    PARTITION,
    REQUEST,
    fork_name,
    request_key,
    request_name,
    requests_name,
    run_tags,
)
from infraaudit_domain.errors import InfraAuditError, RepositoryError
from infraaudit_domain.forge.change_requests import ChangeRequest, Step, next_step
from infraaudit_domain.projects import Project
from infraaudit_domain.triggers import is_watched
from resources.dagster.jobs import AssetJob
from resources.dagster.lost_runs import begins_again
from resources.dagster.partitions import commits_of
from resources.dagster.resources import GitResource, HistoryResource
from resources.dagster.run_queue import cancel_queued, requeue_unlaunched, submit_forgotten
from resources.git.fetches import Fetches
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.forge.change_requests import (
    KnownRequest,
    note_started,
    note_stranger,
    requests_of_head,
    unjudged_requests,
)
from resources.history.forge.expected import end_expected

_SECONDS_A_TICK = 20.0
"""Ticks of all projects share the daemon's threads: what is left is done in the next one."""
_FETCH_SECONDS = 5.0
_AGAIN_SECONDS = 60.0
_FULL = 40
"""Digits of a SHA that is not shortened."""
_CANCELLED = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
_FETCHES = Fetches()
_not_before: dict[tuple[str, int, str], float] = {}
"""When a head that could not be read is tried again."""


def build_request_sensors(project: Project, jobs: Sequence[AssetJob], seconds: int) -> list[dg.SensorDefinition]:
    """The sensor of a project that takes requests; ``jobs`` are those of the project."""
    if project.forge is None or not project.forge.requests or project.fault:
        return []

    @dg.sensor(
        name=requests_name(project),
        jobs=jobs,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Judges the pull and merge requests of {project.name}; deploys nothing of them.",
    )
    def requests(context: dg.SensorEvaluationContext, git: GitResource, history: HistoryResource) -> dg.SensorResult:
        submit_forgotten(context.instance, requests_name(project))
        requeue_unlaunched(context.instance, requests_name(project))
        past, mirror, began = history.connect(), git.connect(project), time.monotonic()
        _cancel(context.instance, past, project)
        look = partial(_look, context.instance, past, mirror, project, Path(history.gate_file))
        wanted: list[dg.RunRequest] = []
        for one in unjudged_requests(past, project.name):
            if time.monotonic() - began > _SECONDS_A_TICK:
                break
            try:
                run = look(one)
            except InfraAuditError as error:
                # What one request cannot have, the others do not wait for.
                context.log.warning("Request %s of %s is tried again: %s", one.request.number, project.name, error)
                continue
            wanted += [run] if run else []
        keys = [run.partition_key for run in wanted if run.partition_key]
        return dg.SensorResult(
            run_requests=wanted,
            dynamic_partitions_requests=[commits_of(project).build_add_request(keys)] if keys else [],
            skip_reason=None if wanted else "No new head of a request.",
        )

    return [requests]


def _look(
    instance: dg.DagsterInstance, past: History, mirror: Mirror, project: Project, gate_file: Path, known: KnownRequest
) -> dg.RunRequest | None:
    """Judge a request's head where its run has ended; else the run that it needs, if any."""
    request = known.request
    step = next_step(request, known.allowed_head, known.started_head)
    if step is Step.WAIT:
        return None
    sha = _read_head(past, mirror, project, request, step)
    if sha is None:
        return None
    job = (fork_name if request.is_fork else request_name)(project)
    runs, cancelled = _runs_of(instance, job, sha)
    if step is Step.NOTHING and not runs:
        # The tick that asked for it died, or it was cancelled: its key makes it once, however often it is asked for.
        step = next_step(request, known.allowed_head, "")
        if step is Step.WAIT or _head_in(mirror, request, step) is None:
            return None
    # A branch that is watched has its own run, and so has what ran before it was requested.
    is_over = step is Step.NOTHING and all(_is_over(instance, run) for run in runs)
    found = judge_head(past, mirror, project, request, sha, gate_file, datetime.now(UTC), is_over)
    if found or step is Step.NOTHING:
        return None
    note_started(past, project.name, request.number, request.head)
    if step is Step.RUN and is_watched(project, request.source_branch):
        return None
    show_step(past, project, sha, step)
    return dg.RunRequest(
        job_name=job,
        run_key=f"{request_key(project, sha)}:{job}:{cancelled}",
        partition_key=sha,
        tags={**run_tags(sha), REQUEST: str(request.number)},
    )


def _read_head(past: History, mirror: Mirror, project: Project, request: ChangeRequest, step: Step) -> str | None:
    """The full SHA of a request's head, once the mirror has it; why it cannot be had is recorded, and tried again.

    What is to be run has to be on the branch that it says it comes from, and is never fetched from elsewhere: a forge may
    let strangers push what it shows as a request. What is still on no such branch at the second look waits like a fork's.
    """
    if sha := _head_in(mirror, request, step):
        return sha
    key = project.name, request.number, request.head
    was_tried = key in _not_before
    if _not_before.get(key, 0.0) > time.monotonic():
        return None
    try:
        if _FETCHES.fetch(mirror, _FETCH_SECONDS):
            return None
        if request.is_fork and len(request.head) >= _FULL:
            bring_head(mirror, project, request.number, request.head)
        if sha := _head_in(mirror, request, step):
            _not_before.pop(key, None)
            return sha
        why = f"{request.head} is not on {request.source_branch} of {project.name}, or its forge does not show it"
        if was_tried and step is Step.RUN and len(request.head) >= _FULL:
            note_stranger(past, project.name, request.number, request.head)
            show_step(past, project, request.head, Step.WAIT)
    except RepositoryError as error:
        why = str(error)
    _not_before[key] = time.monotonic() + _AGAIN_SECONDS
    note_started(past, project.name, request.number, request.head, why)
    return None


def _head_in(mirror: Mirror, request: ChangeRequest, step: Step) -> str | None:
    if not mirror.path.exists():
        return None
    tip = mirror.branches().get(request.source_branch, "") if not request.is_fork else ""
    if len(request.head) < _FULL:
        # Bitbucket Cloud shortens it: the branch says which it is.
        return tip if tip.startswith(request.head) else None
    sha = next(iter(mirror.existing([request.head])), None)
    is_ours = step is not Step.RUN or (sha and tip and mirror.is_ancestor(sha, tip))
    return sha if is_ours else None


def _runs_of(instance: dg.DagsterInstance, job: str, sha: str) -> tuple[list[dg.RunRecord], int]:
    """A job's runs of a head, and how many more were cancelled: such a run says nothing of the head, and is made again."""
    found = instance.get_run_records(dg.RunsFilter(job_name=job, tags={PARTITION: sha}))
    runs = [one for one in found if one.dagster_run.status not in _CANCELLED]
    return runs, len(found) - len(runs)


def _is_over(instance: dg.DagsterInstance, run: dg.RunRecord) -> bool:
    """Once none of a head's runs goes on or begins again, what they left out never comes."""
    return run.dagster_run.is_finished and not begins_again(instance, run)


def _cancel(instance: dg.DagsterInstance, past: History, project: Project) -> None:
    """Cancel queued runs whose head no open request has any more: it was closed, or something newer was pushed."""
    for job in (request_name(project), fork_name(project)):
        for run in instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.QUEUED])):
            sha = run.tags.get(PARTITION, "")
            if requests_of_head(past, project.name, sha):
                continue
            reason = "no open request has it as its head"
            if cancel_queued(instance, run, f"{sha[:12]}: {reason}."):
                end_expected(past, project.name, sha, f"Not run: {reason}")
