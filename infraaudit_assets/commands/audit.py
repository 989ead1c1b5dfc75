"""`infraaudit trends|findings|blame|compare`: questions to the history of findings."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.formats import Form, Format, chosen, show
from infraaudit_assets.commands.options import AsJson, EnvironmentName, ProjectName
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.findings import Severity
from infraaudit_domain.projects import Project

if TYPE_CHECKING:
    from infraaudit.scans.lifecycles import Line
    from infraaudit_domain.suppressions import Suppression

Moment = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="In UTC.")]


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
    as_json: AsJson = False,
) -> None:
    """Findings over time: open, introduced, fixed, reopened, suppressed."""
    from resources.history.queries.trends import trends as trends_of

    line = line_of(find_project(project), branch)
    show(trends_of(line, by.value if by else None, every.value, utc(since), utc(until)), chosen(form, as_json))


def findings(
    project: ProjectName,
    at: Annotated[str | None, typer.Option(help="Branch, tag or SHA; the newest commit by default.")] = None,
    live: Annotated[bool, typer.Option("--live", help="What is deployed now.")] = False,
    environment: EnvironmentName = None,
    new_since: Annotated[str | None, typer.Option(help="Only what did not stand at this commit.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only this severity.")] = None,
    check: Annotated[str | None, typer.Option(help="Only this check, for example CKV_AWS_18.")] = None,
    path: Annotated[str | None, typer.Option(help="Only this file or folder.")] = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """The findings of a commit: since which commit, whose, and for how long."""
    from infraaudit.questions.findings import findings_at

    if live and at:
        raise ConfigurationError("--live and --at exclude each other; give one of them.")
    found = find_project(project)
    line = line_of(found)
    sha = _revision(line, found, "live" if live else at or "head", environment)
    since = _revision(line, found, new_since, environment) if new_since else None
    rows = findings_at(line, sha, datetime.now(UTC), since, suppressions_for(found))
    if severity:
        rows = rows[rows["severity"] == _severity(severity)]
    if check:
        rows = rows[rows["check_id"] == check]
    if path:
        folder = path.strip("/")
        rows = rows[(rows["file_path"] == folder) | rows["file_path"].str.startswith(folder + "/")]
    show(rows, chosen(form, as_json), {"severity": "severity", "id": "id", "check_id": "check", "file_path": "file",
                      "line_start": "line", "resource": "resource", "age_days": "days", "status": "status",
                      "introduced_by": "since", "author": "author", "check_name": "what"})  # fmt: skip


def blame(
    project: ProjectName,
    finding: Annotated[str | None, typer.Argument(help="Beginning of a finding's id.")] = None,
    check: Annotated[str | None, typer.Option(help="Findings of this check.")] = None,
    path: Annotated[str | None, typer.Option(help="Findings in this file, under any name it had.")] = None,
    environment: EnvironmentName = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Lifecycles of findings: introduced, moved, suppressed, fixed and reopened by whom, and live from when to when."""
    from resources.history.queries.lives import blame as blame_of

    if not (finding or check or path):
        raise ConfigurationError("Say which findings: an id, --check or --path (`infraaudit findings` lists them).")
    found = find_project(project)
    rows = blame_of(line_of(found), environment or found.environment.name, finding, check, path)
    show(rows, chosen(form, as_json), {"id": "id", "event": "event", "commit": "commit", "at": "at (UTC)", "check_id": "check",
                      "file_path": "file", "author": "author", "cause": "cause", "live_from": "live from",
                      "live_to": "live to", "resource": "resource", "subject": "subject"})  # fmt: skip


def compare(
    project: ProjectName,
    before: Annotated[str, typer.Argument(help="Branch, tag, SHA, or `live`.")] = "live",
    after: Annotated[str, typer.Argument(help="Branch, tag, SHA, or `head`.")] = "head",
    environment: EnvironmentName = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """What two commits' findings differ in, and whether code, config or scanner may be why."""
    from infraaudit.questions.findings import compare as compare_of

    found = find_project(project)
    line = line_of(found)
    first, second = (_revision(line, found, revision, environment) for revision in (before, after))
    now, suppressions = datetime.now(UTC), suppressions_for(found)
    rows = compare_of(line, first, second, suppressions, now.date())
    show(rows, chosen(form, as_json), {"change": "change", "severity": "severity", "check_id": "check", "file_path": "file",
                      "line_start": "line", "resource": "resource", "cause": "cause", "id": "id"},
         note=f"{first[:8]} against {second[:8]}")  # fmt: skip


def _severity(name: str) -> str:
    try:
        return Severity(name.lower()).value
    except ValueError as error:
        raise ConfigurationError(f"--severity {name!r} is none of {', '.join(Severity)}.") from error


def line_of(project: Project, branch: str | None = None) -> "Line":
    """A branch of a project, the one that is deployed by default, with the lifecycles of its findings."""
    from infraaudit.scans.lifecycles import Line
    from resources.history import open_history

    mirror = mirror_of(project)
    if not mirror.path.exists():
        mirror.fetch()
    return Line(open_history(settings().history_url), mirror, project.name, branch or project.deploy_branch).follow()


def _revision(line: "Line", project: Project, revision: str, environment: str | None) -> str:
    if revision == "head":
        return line.shas[-1]
    if revision != "live":
        return line.mirror.resolve(revision)
    environment = environment or project.environment.name
    deployment = line.history.live(project.name, environment)
    if deployment is None:
        raise ConfigurationError(f"Nothing of {project.name} is live in {environment}; give a commit instead.")
    return deployment.sha


def suppressions_for(project: Project) -> "tuple[Suppression, ...]":
    """What the configuration hides of a project's findings."""
    from resources.configuration.suppressions import read_suppressions

    return read_suppressions(settings().shipped, project.name)


def utc(moment: datetime | None) -> datetime | None:
    """A moment of the command line, which is in UTC, as one that says so."""
    return moment.replace(tzinfo=UTC) if moment else None
