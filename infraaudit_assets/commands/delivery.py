"""`infraaudit rollback`, `promote` and `status`: what people do to environments by hand."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.domain.deployments import Deployment, Outcome, Release
from infraaudit_assets.domain.errors import ConfigurationError, InfraAuditError
from infraaudit_assets.domain.projects import Environment, Project
from infraaudit_assets.settings import settings

if TYPE_CHECKING:
    from resources.history import History
    from resources.targets import Target

ProjectName = Annotated[str, typer.Option("--project", help="Name of the project, as in the projects file.")]
EnvironmentName = Annotated[str | None, typer.Option("--environment", help="The first one of the project by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def rollback(
    project: ProjectName,
    to: Annotated[
        str | None, typer.Option(help="Commit to go back to; the one that was live before by default.")
    ] = None,
    environment: EnvironmentName = None,
    advise: Annotated[bool, typer.Option("--advise", help="Only name the commit that is best to go back to.")] = False,
    as_json: Json = False,
) -> None:
    """Put back what ran before, as it was deployed then. Exits with 1 where it does not become healthy."""
    from resources.history import open_history
    from resources.history.queries.deployed import deployed, deployed_before

    found = find_project(project)
    place, past = environment_of(found, environment), open_history(settings().history_url)
    live = past.live(found.name, place.name)
    if live is None:
        raise InfraAuditError(f"Nothing of {found.name} was deployed to {place.name}; there is nothing to roll back.")
    if advise:
        _print_advice(found, past, live, as_json)
        return
    sha = mirror_of(found).resolve(to) if to else None
    before = deployed(past, found.name, place.name, sha) if sha else deployed_before(past, live)
    if before is None:
        raise InfraAuditError(
            f"{to or 'No other commit'} was never healthy in {place.name}; "
            f"see `infraaudit status --project {found.name}`, or name another with --to."
        )
    release = Release(before.project, before.environment, before.sha, before.image, before.manifests)
    _finish(_deliver(found, place, past, release, is_older=lambda _: False), as_json)


def promote(
    project: ProjectName,
    to: Annotated[str, typer.Option("--to", help="Environment to promote to.")],
    commit: Annotated[
        str | None, typer.Option(help="The commit that is live one environment before, by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring what is healthy in one environment to the next. Exits with 1 where it does not become healthy there."""
    from resources.history import open_history
    from resources.history.queries.deployed import deployed
    from resources.manifest_files import render_release

    found = find_project(project)
    place = environment_of(found, to)
    position = found.environments.index(place)
    if position == 0:
        raise ConfigurationError(f"{to} is the first environment of {found.name}; commits go there by themselves.")
    previous, past, mirror = found.environments[position - 1], open_history(settings().history_url), mirror_of(found)
    sha = mirror.resolve(commit) if commit else None
    source = deployed(past, found.name, previous.name, sha)
    if source is None:
        raise InfraAuditError(f"{commit or 'No commit'} was never healthy in {previous.name}; deploy it there first.")
    with mirror.checkout(source.sha, settings().state / "checkouts") as folder:
        manifests = render_release(folder, found, place, source.sha, source.image)
    release = Release(found.name, place.name, source.sha, source.image, manifests)
    _finish(_deliver(found, place, past, release, lambda live: mirror.is_ancestor(source.sha, live.sha)), as_json)


def status(
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None, as_json: Json = False
) -> None:
    """Show what is live in every environment, since when, whether it is healthy, and what has drifted."""
    from resources.history import open_history
    from resources.project_file import read_projects

    past = open_history(settings().history_url)
    projects = [find_project(project)] if project else list(read_projects(settings().projects))
    rows = [_status_row(found, place, past) for found in projects for place in found.environments]
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        table = Table("project", "environment", "live", "since (UTC)", "state", "drift", "where")
        for row in rows:
            drift = "not known" if row["drift"] is None else "\n".join(row["drift"]) or "none"
            since = (row["since"] or "")[:19].replace("T", " ")
            table.add_row(row["project"], row["environment"], (row["sha"] or "nothing")[:12], since, row["state"],
                          drift, row["url"] or row["target"])  # fmt: skip
        Console().print(table)
    raise typer.Exit(0 if all(row["state"] in ("healthy", "empty") and not row["drift"] for row in rows) else 1)


def environment_of(project: Project, name: str | None) -> Environment:
    """An environment by its name, the first by default. Raises ConfigurationError that lists those there are."""
    found = next((one for one in project.environments if name in (None, one.name)), None)
    if found is None:
        names = ", ".join(one.name for one in project.environments)
        raise ConfigurationError(f"{project.name} has no environment {name!r}; it has: {names}.")
    return found


def target_of(environment: Environment) -> "Target":
    """Where an environment is. Raises ClusterUnavailableError or EngineUnavailableError."""
    from resources.connect_target import connect_target

    now = settings()
    return connect_target(now.target, environment, now.kubeconfig, now.engine, now.state)


def _deliver(
    project: Project, place: Environment, past: "History", release: Release, is_older: Callable[[Deployment], bool]
) -> Deployment:
    from resources.delivery import deliver

    mirror = mirror_of(project)
    console = Console(stderr=True)
    return deliver(
        target_of(place),
        release,
        live=lambda: past.live(project.name, place.name),
        is_older=is_older,
        lock=mirror.path.parent / f".deploy-{project.name}-{place.name}.lock",
        timeout=settings().rollout_seconds,
        clock=lambda: datetime.now(UTC),
        on_progress=lambda line: console.print(line, markup=False, highlight=False),
        record=past.record_deployment,
    )


def _finish(done: Deployment, as_json: bool) -> None:
    if as_json:
        fields = ("project", "environment", "sha", "outcome", "replaced_sha", "target", "image", "url", "reason")
        print(json.dumps({name: getattr(done, name) for name in fields}, indent=2))
    else:
        print(f"{done.project} {done.sha[:12]} in {done.environment}: {done.outcome.value} {done.url or ''}".rstrip())
        if done.reason:
            print(done.reason)
    raise typer.Exit(0 if done.outcome is Outcome.DEPLOYED else 1)


def _status_row(project: Project, place: Environment, past: "History") -> dict[str, Any]:
    live = past.live(project.name, place.name)
    row: dict[str, Any] = {"project": project.name, "environment": place.name, "sha": None, "since": None,
                           "state": "empty", "drift": None, "url": None, "target": "", "reason": ""}  # fmt: skip
    if live is None:
        return row
    row |= {"sha": live.sha, "since": live.finished_at.isoformat(), "target": live.target}
    try:
        target = target_of(place)
        if target.name != live.target:
            return row | {"state": "unknown", "reason": f"it is in {live.target}; what answers is {target.name}"}
        now = target.probe(project.name, place.name)
        row |= {"state": "healthy" if now.healthy else "not healthy", "url": now.url, "reason": now.reason}
        drift = getattr(target, "drift", None)
        return row | ({"drift": [str(difference) for difference in drift(live.manifests)]} if drift else {})
    except InfraAuditError as error:
        return row | {"state": "unknown", "reason": str(error)}


def _print_advice(project: Project, past: "History", live: Deployment, as_json: bool) -> None:
    from infraaudit_assets.domain.advice import Candidate, advise
    from infraaudit_assets.domain.gate import judge_tests
    from resources.history.queries.trends import open_by_severity

    shas = mirror_of(project).first_parents(live.sha, limit=200)
    counts = open_by_severity(past, project.name, shas)
    candidates = (
        Candidate(
            sha,
            judge_tests(past.test_run(project.name, sha)).passed,
            past.image(project.name, sha) is not None,
            counts.get(sha),
        )
        for sha in shas
        if sha != live.sha
    )
    best = advise(counts.get(live.sha), candidates)
    if as_json:
        print(json.dumps({"live": live.sha, "advice": best.sha if best else None}))
    elif best:
        print(f"{best.sha} is the newest before {live.sha[:12]} with green tests and no more findings of any severity.")
    else:
        print(f"No commit before {live.sha[:12]} has green tests and no more findings of any severity.")
    raise typer.Exit(0 if best else 1)
