"""`infraaudit scan`: the audit half only, for one commit or a whole past. Resumable: what is scanned is skipped.

Every scan is stored as soon as it ends. Deliberately absent: builds, tests, deployments.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.formats import print_result, print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.rated import rated_history
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import ScanStatus
from infraaudit_domain.triggers import is_watched

if TYPE_CHECKING:
    from infraaudit.scans.backfill import Backfill, Done
    from resources.checkov import CheckovRunner
    from resources.git.mirror import Mirror
    from resources.history import History


def scan(
    project: ProjectName,
    commit: Annotated[str | None, typer.Option(help="Branch, tag or SHA.")] = None,
    span: Annotated[str | None, typer.Option("--range", help="A..B: what B has and A has not.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every commit of the project's branches.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Scans at the same time.")] = 1,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Of --range and --all, only commits since, in UTC.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Scan also what has been scanned.")] = False,
    through_dagster: Annotated[
        bool, typer.Option("--dagster", help="Start a Dagster backfill of scan_report instead of scanning here.")
    ] = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Scan commits into the history: nothing is built or deployed, and latest_scan.json shows the newest.

    Each scan is stored as it ends: after Ctrl-C, or a crash, the same command resumes where it stopped. With
    --dagster the daemon of a running `infraaudit up` does the scans, one run each, and the UI shows them; it is the
    same as choosing scan_report there, Materialize, and the partitions. That is for dozens of commits, not for
    thousands: a run costs seconds, a scan here a fraction of one.

    Exits with 1 where a commit could not be scanned, with 130 after Ctrl-C.
    """
    from infraaudit.scans.backfill import unscanned
    from infraaudit.scans.lifecycles import follow_deploy_branch
    from infraaudit.scans.scan_commit import Reports, follow_up, publish_newest
    from resources.machine.artifact_store import ArtifactStore

    if sum((commit is not None, span is not None, everything)) != 1:
        raise ConfigurationError("Give one of --commit REV, --range A..B and --all.")
    found = find_project(project)
    mirror, past = mirror_of(found), rated_history()
    mirror.fetch()
    shas = _wanted(mirror, found, commit, span, since.replace(tzinfo=UTC) if since else None)
    past.record_project(found)
    todo = _head_first(
        shas if again else unscanned(past, found.name, shas), mirror.branches().get(found.deploy_branch, "")
    )
    how = chosen(form, as_json)
    if through_dagster:
        _hand_to_dagster(found, todo, how)
        return
    started = time.monotonic()
    done, is_interrupted = _scan_all(past, mirror, found, todo, workers, quiet=how is not Format.TABLE)
    # Also where an earlier call was killed between storing a scan and this line.
    store = ArtifactStore(settings().state.path, settings().reports)
    publish_newest(past, mirror, found, Reports(store, settings().shipped))
    if is_interrupted:
        follow_deploy_branch(past, mirror, found)
    else:
        follow_up(past, mirror, found, lambda: scanner_for(past))
    _print_done(found, done, len(shas) - len(todo), time.monotonic() - started, how)
    if is_interrupted:
        print(f"Interrupted: {len(todo) - len(done)} commits are left; the same command resumes.", file=sys.stderr)
        raise typer.Exit(130)
    raise typer.Exit(1 if any(one.status is ScanStatus.FAILED for one in done) else 0)


def _head_first(shas: list[str], head: str) -> list[str]:
    """The head before its past: whoever interrupts, or looks meanwhile, has the findings of now."""
    return [head, *(sha for sha in shas if sha != head)] if head in shas else shas


def _scan_all(
    past: "History", mirror: "Mirror", project: Project, todo: list[str], workers: int, quiet: bool
) -> tuple[list["Done"], bool]:
    """What was scanned and stored, and whether Ctrl-C ended it early."""
    from infraaudit.scans.backfill import Backfill

    done: list[Done] = []
    with (
        _progress(len(todo), quiet) as tick,
        Backfill(past, mirror, project, todo, runner=lambda: scanner_for(past), workers=workers) as scans,
        _stopped_by_ctrl_c(scans) as stopped,
    ):
        for one in scans:
            done.append(one)
            tick(one)
    return done, stopped.is_set()


@contextmanager
def _stopped_by_ctrl_c(scans: "Backfill") -> Iterator[threading.Event]:
    """After Ctrl-C, scans under way are finished, stored and reported; a second Ctrl-C does not wait for them."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()
        scans.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def scanner_for(past: "History") -> "CheckovRunner":
    """A scanner with the settings' severities that reuses what the history holds."""
    from resources.checkov import CheckovRunner
    from resources.configuration.severities import read_severities

    severities = read_severities(settings().severities, settings().checks_file)
    return CheckovRunner(settings().state.scans, severities, reuse=past.framework_scan)


def _hand_to_dagster(project: Project, shas: list[str], how: Format) -> None:
    from infraaudit_domain.dagster_names import group_of, pipeline_name
    from resources.dagster.api import DagsterApi
    from resources.dagster.partitions import commits_of

    name = commits_of(project).name or ""
    dagster, asset = DagsterApi(settings().dagster_url), [group_of(project), "scan_report"]
    backfill = dagster.backfill(pipeline_name(project), asset, name, shas)
    url = f"{settings().dagster_link}/runs/b/{backfill}"
    result = {"project": project.name, "backfill": backfill, "commits": len(shas), "url": url}
    print_result(result, how, f"Dagster scans {len(shas)} commits of {project.name}: {url}")


def _wanted(
    mirror: "Mirror", project: Project, commit: str | None, span: str | None, since: datetime | None
) -> list[str]:
    if commit is not None:
        return [mirror.resolve(commit)]
    if span is not None:
        before, dots, after = span.partition("..")
        if not dots or not before or not after or after.startswith("."):
            raise ConfigurationError(f"--range {span!r} is no A..B, for example v1.0..main.")
        return mirror.commits([mirror.resolve(after)], [mirror.resolve(before)], since)
    tips = [sha for branch, sha in mirror.branches().items() if is_watched(project, branch)]
    if not tips:
        raise ConfigurationError(f"{project.name} has none of the branches {', '.join(project.branches)}.")
    return mirror.commits(tips, since=since)


@contextmanager
def _progress(total: int, quiet: bool) -> "Iterator[Callable[[Done], None]]":
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from infraaudit_assets.commands.progress import progress

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with progress(*columns, quiet=quiet) as shown:
        task, started = shown.add_task("commits scanned", total=total, rate=""), time.monotonic()

        def tick(one: "Done") -> None:
            shown.advance(task)
            count = shown.tasks[0].completed
            shown.update(task, rate=f"{count / max(time.monotonic() - started, 0.001):.2f} commits/s")
            if one.status is not ScanStatus.COMPLETE:
                shown.console.print(f"{one.sha[:12]} is {one.status}: {one.reason}", markup=False)

        yield tick


def _print_done(project: Project, done: list["Done"], skipped: int, seconds: float, how: Format) -> None:
    rows = [
        {"sha": d.sha, "status": d.status, "open": d.open, "seconds": round(d.seconds, 3), "reason": d.reason}
        for d in done
    ]
    if how is Format.CSV:
        print_rows(rows, ("sha", "status", "open", "seconds", "reason"), how)
        return
    result = {"project": project.name, "scanned": len(done), "skipped": skipped, "seconds": round(seconds, 3)}
    message = f"{project.name}: {len(done)} commits scanned in {seconds:.1f} s, {skipped} had been scanned before."
    print_result(result | {"commits": rows}, how, message)
