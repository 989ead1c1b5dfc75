"""`infraaudit prune`: retention. Details of old commits go; lineage, lifecycles of findings and counts stay."""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.formats import print_result, print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, chosen
from infraaudit_assets.commands.person import me
from infraaudit_assets.settings import Settings, settings
from infraaudit_domain.dagster_names import former_names
from infraaudit_domain.delivery.test_plans import TESTS_IMAGE
from infraaudit_domain.errors import EngineUnavailableError, HistoryError
from infraaudit_domain.judging.audit_log import Act
from infraaudit_domain.projects import Project

if TYPE_CHECKING:
    from resources.engine import Engine
    from resources.history import History


def prune(
    older_than: Annotated[int, typer.Option(min=1, help="Age in days from which a commit's details may go.")] = 365,
    keep: Annotated[
        int, typer.Option(min=1, help="Newest commits of each project that stay whatever their age.")
    ] = 200,
    audit_log_days: Annotated[
        int | None, typer.Option(min=30, help="Delete lines of the audit log that are older, too; else it stays whole.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Delete the details of old commits: listed findings, test cases, kept reports, and Dagster's finished runs.

    What is live, and what a rollback would return to, never goes. Commits, lifecycles of findings (who introduced and
    fixed them), deployments and every count stay for ever, so that trends and metrics do not change.
    """
    from infraaudit.operations.sweeping import sweep
    from infraaudit_domain.retention import outdated
    from resources.configuration.projects import read_projects
    from resources.engine.box.client import remove_boxes
    from resources.history import open_history, retention
    from resources.history.decisions.audit_log import log_act, prune_log
    from resources.machine.disk_use import bytes_below

    current = settings()
    past = open_history(current.history_url)
    before = datetime.now(UTC) - timedelta(days=older_than)
    done, full = {}, 0 if dry_run else bytes_below(current.home)
    projects = read_projects(current.projects)
    if not dry_run:
        # First: what was deleted is logged also where it breaks off.
        log_act(past, me(), Act.PRUNE, "", f"what is older than {before:%Y-%m-%d}", f"begun, {len(projects)} projects")
        remove_boxes(current.state.boxes, [project.name for project in projects])
        sweep(current.state)
    engine = _engine(current)
    for project in projects:
        aging, used = retention.aging_commits(past, project.name), retention.in_use(past, project.name)
        shas = outdated(aging, before=before, keep_newest=keep, protected=used)
        row = {"commits": len(shas)}
        if not dry_run:
            row |= asdict(retention.prune(past, project.name, shas))
            row["messages"] = retention.prune_messages(past, project.name, before)
            row["files"] = _delete_files(current, project, shas)
            row["runs"] = _delete_runs(current, project, shas)
            row["images"] = _delete_images(engine, project, shas)
        done[project.name] = row
    freed = 0
    if not dry_run:
        if audit_log_days is not None:
            prune_log(past, datetime.now(UTC) - timedelta(days=audit_log_days), me())
        _shrink(current, past)
        freed = max(0, full - bytes_below(current.home))
    how = chosen(form, as_json)
    if how is Format.JSON:
        print_result({"before": before, "dry_run": dry_run, "projects": done, "bytes_freed": freed}, how, "")
        return
    if how is Format.CSV:
        columns = list(next(iter(done.values()), {}))
        print_rows(({"project": name} | row for name, row in done.items()), ["project", *columns], how)
        return
    for name, row in done.items():
        what = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in row.items())
        print(f"{name}: {what}{' would go' if dry_run else ' went'} (older than {before:%Y-%m-%d})")
    if not dry_run:
        print(f"{freed / 1e6:.1f} MB of {current.home} are free again")


def _delete_files(current: Settings, project: Project, shas: Collection[str]) -> int:
    """Reports and what stages kept by commit; see ArtifactStore for the layout."""
    reports = [current.reports.resolve() / project.name / f"{sha}.json" for sha in shas]
    kept = [folder for sha in shas for folder in current.state.kept_of(project.name, sha)]
    found = [path for path in (*reports, *kept) if path.exists()]
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return len(found)


def _engine(current: Settings) -> "Engine | None":
    """The engine, where one answers: where none does, images stay until one does."""
    from resources.engine import detect_engine

    try:
        return detect_engine(current.engine)
    except EngineUnavailableError:
        return None


def _delete_images(engine: "Engine | None", project: Project, shas: Collection[str]) -> int:
    """The engine's names of the images of these commits."""
    from resources.engine.build_request import image_reference
    from resources.engine.old_images import forget_images

    names = ["", TESTS_IMAGE, *(source.name for source in project.further_images)]
    references = {image_reference(project.name, sha, name) for sha in shas for name in names}
    return forget_images(engine, references) if engine and shas else 0


def _delete_runs(current: Settings, project: Project, shas: Sequence[str]) -> int:
    """Finished runs of these commits, also of a job of earlier versions, with their events and the logs of their steps."""
    from infraaudit_assets.jobs import build_jobs
    from infraaudit_assets.runs import dagster_instance
    from resources.dagster.deleted_runs import delete_run, finished_runs

    jobs = {job.name for job in build_jobs(project)} | former_names(project)
    with dagster_instance(current) as instance:
        found = finished_runs(instance, shas, jobs)
        for run_id in found:
            delete_run(instance, run_id)
    return len(found)


def _shrink(current: Settings, past: "History") -> None:
    """Give the room of what was deleted back to the disk."""
    from infraaudit_assets.runs import dagster_instance
    from resources.dagster.deleted_runs import vacuum

    kept = []
    try:
        past.vacuum()
    except HistoryError:
        kept.append(past.location)
    with dagster_instance(current) as instance:
        kept += vacuum(instance)
    for place in kept:
        typer.echo(f"{place} keeps its size, because others write to it; prune again when nothing runs.", err=True)
