"""`infraaudit trends|findings|blame|compare`: questions to the history of findings."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.formats import Format, show
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.domain.errors import ConfigurationError
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.settings import settings

if TYPE_CHECKING:
    from resources.history.lifecycles import Line

ProjectName = Annotated[str, typer.Option("--project", help="Name of the project, as in the projects file.")]
Form = Annotated[Format, typer.Option("--format", help="How to print.")]
Moment = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="In UTC.")]
Place = Annotated[str | None, typer.Option("--environment", help="The first of the project by default.")]


class By(StrEnum):
    SEVERITY = "severity"
    CHECK = "check"
    FRAMEWORK = "framework"
    FILE = "file"
    DIRECTORY = "directory"
    AUTHOR = "author"


class Every(StrEnum):
    COMMIT = "commit"
    DAY = "day"
    WEEK = "week"


def trends(
    project: ProjectName,
    by: Annotated[By | None, typer.Option(help="One row for each of these; all together without.")] = None,
    every: Annotated[Every, typer.Option(help="One row for each of these.")] = Every.COMMIT,
    since: Moment = None,
    until: Moment = None,
    branch: Annotated[str | None, typer.Option(help="The branch that is deployed, by default.")] = None,
    form: Form = Format.TABLE,
) -> None:
    """Findings over time: open, introduced, fixed, reopened, suppressed."""
    from resources.history.queries.changes_over_time import trends as trends_of

    line = _line(find_project(project), branch)
    show(trends_of(line, by.value if by else None, every.value, _utc(since), _utc(until)), form)


def findings(
    project: ProjectName,
    at: Annotated[str | None, typer.Option(help="Branch, tag or SHA; the newest commit by default.")] = None,
    live: Annotated[bool, typer.Option("--live", help="What is deployed now.")] = False,
    environment: Place = None,
    new_since: Annotated[str | None, typer.Option(help="Only what did not stand at this commit.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only this severity.")] = None,
    check: Annotated[str | None, typer.Option(help="Only this check, for example CKV_AWS_18.")] = None,
    path: Annotated[str | None, typer.Option(help="Only this file or folder.")] = None,
    form: Form = Format.TABLE,
) -> None:
    """The findings of a commit: since which commit, whose, and for how long."""
    from resources.history.queries.findings import findings_at

    if live and at:
        raise ConfigurationError("--live and --at exclude each other; give one of them.")
    found = find_project(project)
    line = _line(found)
    sha = _revision(line, found, "live" if live else at or "head", environment)
    since = _revision(line, found, new_since, environment) if new_since else None
    rows = findings_at(line, sha, datetime.now(UTC), since)
    if severity:
        rows = rows[rows["severity"] == severity.lower()]
    if check:
        rows = rows[rows["check_id"] == check]
    if path:
        folder = path.strip("/")
        rows = rows[(rows["file_path"] == folder) | rows["file_path"].str.startswith(folder + "/")]
    show(rows, form, ("severity", "status", "check_id", "file_path", "line_start", "resource", "introduced_by",
                      "author", "age_days", "id"))  # fmt: skip


def blame(
    project: ProjectName,
    finding: Annotated[str | None, typer.Argument(help="Beginning of a finding's id.")] = None,
    check: Annotated[str | None, typer.Option(help="Findings of this check.")] = None,
    path: Annotated[str | None, typer.Option(help="Findings in this file, under any name it had.")] = None,
    environment: Place = None,
    form: Form = Format.TABLE,
) -> None:
    """The lives of findings: introduced, moved, suppressed, fixed and reopened by whom, and live from when to when."""
    from resources.history.queries.lives import blame as blame_of

    if not (finding or check or path):
        raise ConfigurationError("Say which findings: an id, --check or --path (`infraaudit findings` lists them).")
    found = find_project(project)
    rows = blame_of(_line(found), environment or found.environment.name, finding, check, path)
    show(rows, form, ("id", "check_id", "file_path", "resource", "event", "cause", "commit", "at", "author",
                      "live_from", "live_to"))  # fmt: skip


def compare(
    project: ProjectName,
    before: Annotated[str, typer.Argument(help="Branch, tag, SHA, or `live`.")] = "live",
    after: Annotated[str, typer.Argument(help="Branch, tag, SHA, or `head`.")] = "head",
    environment: Place = None,
    form: Form = Format.TABLE,
) -> None:
    """What two commits' findings differ in, and whether code, config or scanner may be why."""
    from resources.history.queries.findings import compare as compare_of

    found = find_project(project)
    line = _line(found)
    first, second = (_revision(line, found, revision, environment) for revision in (before, after))
    show(compare_of(line, first, second), form, ("change", "cause", "severity", "check_id", "file_path", "line_start",
                                                 "resource", "id"))  # fmt: skip


def _line(project: Project, branch: str | None = None) -> "Line":
    from resources.history import open_history
    from resources.history.lifecycles import Line

    mirror = mirror_of(project)
    if not mirror.path.exists():
        mirror.fetch()
    return Line(open_history(settings().history_url), mirror, project.name, branch or project.deploy_branch).follow()


def _revision(line: "Line", project: Project, revision: str, environment: str | None) -> str:
    if revision == "head":
        return line.shas[-1]
    if revision != "live":
        return line.mirror.resolve(revision)
    place = environment or project.environment.name
    deployment = line.history.live(project.name, place)
    if deployment is None:
        raise ConfigurationError(f"Nothing of {project.name} is live in {place}; give a commit instead.")
    return deployment.sha


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
