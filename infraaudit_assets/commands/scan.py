"""`infraaudit scan`: the audit half only, for one commit or a whole past. Resumable: what is scanned is skipped.

Every scan is stored as soon as it ends. Deliberately absent: builds, tests, deployments.
"""

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.domain.errors import ConfigurationError
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.settings import settings

if TYPE_CHECKING:
    from resources.backfill import Done
    from resources.git import Mirror
    from resources.history import History


def scan(
    project: Annotated[str, typer.Option(help="Name of the project, as in the projects file.")],
    commit: Annotated[str | None, typer.Option(help="Branch, tag or SHA.")] = None,
    span: Annotated[str | None, typer.Option("--range", help="A..B: what B has and A has not.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every commit of the project's branches.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Scans at the same time.")] = 1,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only commits made since, in UTC.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Scan also what has been scanned.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Scan commits into the history. Exits with 1 where a commit could not be scanned."""
    from resources.backfill import backfill, unscanned
    from resources.history import open_history
    from resources.history.lifecycles import follow_deploy_branch
    from resources.severity_file import read_severities

    if sum((commit is not None, span is not None, everything)) != 1:
        raise ConfigurationError("Give one of --commit REV, --range A..B and --all.")
    found = find_project(project)
    mirror, past = mirror_of(found), open_history(settings().history_url)
    mirror.fetch()
    shas = _wanted(mirror, found, commit, span)
    if since:
        shas = [sha for sha in shas if mirror.commit(sha).committed_at >= since.replace(tzinfo=UTC)]
    past.record_project(found)
    todo = shas if again else unscanned(past, found.name, shas)
    started, done = time.monotonic(), []
    scratch = settings().state / "scans"
    severities = read_severities(settings().severities)
    with _progress(len(todo), quiet=as_json) as tick:
        for one in backfill(past, mirror, found, todo, scratch=scratch, severities=severities, workers=workers):
            done.append(one)
            tick(one)
    _publish_head(past, mirror, found, {one.sha for one in done})
    follow_deploy_branch(past, mirror, found)
    _tell(found, done, len(shas) - len(todo), time.monotonic() - started, as_json)
    raise typer.Exit(1 if any(one.status == "failed" for one in done) else 0)


def _wanted(mirror: "Mirror", project: Project, commit: str | None, span: str | None) -> list[str]:
    if commit is not None:
        return [mirror.resolve(commit)]
    if span is not None:
        before, dots, after = span.partition("..")
        if not dots or not before or not after or after.startswith("."):
            raise ConfigurationError(f"--range {span!r} is no A..B, for example v1.0..main.")
        return mirror.commits([mirror.resolve(after)], [mirror.resolve(before)])
    from fnmatch import fnmatchcase

    tips = [
        sha
        for branch, sha in mirror.branches().items()
        if any(fnmatchcase(branch, pattern) for pattern in project.branches)
    ]
    if not tips:
        raise ConfigurationError(f"{project.name} has none of the branches {', '.join(project.branches)}.")
    return mirror.commits(tips)


def _publish_head(past: "History", mirror: "Mirror", project: Project, scanned: set[str]) -> None:
    """Keep the head's report and show it as the latest; no other commit may be that."""
    head = mirror.branches().get(project.deploy_branch)
    scan_of_head = past.scan(project.name, head) if head in scanned and head else None
    if scan_of_head is None or head is None:
        return
    from infraaudit_assets.domain.reports import report_of
    from infraaudit_assets.domain.suppressions import hide_in, hide_in_changes
    from resources.artifact_store import ArtifactStore
    from resources.history.lineage import changes_of
    from resources.suppression_file import read_suppressions

    suppressions, day = read_suppressions(settings().shipped, project.name), datetime.now(UTC).date()
    against, changes = changes_of(past, mirror, project.name, scan_of_head)
    report = report_of(
        project.name, hide_in(scan_of_head, suppressions, day), against, hide_in_changes(changes, suppressions, day)
    )
    content = json.dumps(report, indent=2).encode()
    store = ArtifactStore(settings().state, settings().reports)
    store.keep_report(project.name, head, content)
    store.publish_report(project.name, content, project.default)


def _progress(total: int, quiet: bool):  # type: ignore[no-untyped-def]
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    @contextmanager
    def bar():  # type: ignore[no-untyped-def]
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
            task, started = progress.add_task("scan", total=total, rate=""), time.monotonic()

            def tick(one: "Done") -> None:
                progress.advance(task)
                count = progress.tasks[0].completed
                progress.update(task, rate=f"{count / max(time.monotonic() - started, 0.001):.2f} commits/s")
                if one.status != "complete":
                    progress.console.print(f"{one.sha[:12]} is {one.status}: {one.reason}", markup=False)

            yield tick

    return bar()


def _tell(project: Project, done: list["Done"], skipped: int, seconds: float, as_json: bool) -> None:
    if as_json:
        rows = [
            {"sha": d.sha, "status": d.status, "open": d.open, "seconds": round(d.seconds, 3), "reason": d.reason}
            for d in done
        ]
        result = {"project": project.name, "scanned": len(done), "skipped": skipped, "seconds": round(seconds, 3)}
        print(json.dumps(result | {"commits": rows}, indent=2))
        return
    print(f"{project.name}: {len(done)} commits scanned in {seconds:.1f} s, {skipped} were scanned before.")
