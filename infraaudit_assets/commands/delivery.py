"""`infraaudit rollback`, and what it has in common with other ways to deploy by hand (deploying.py)."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.advice import print_advice
from infraaudit_assets.commands.formats import print_result
from infraaudit_assets.commands.options import AsJson, EnvironmentName, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.person import me
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.rated import rated_history
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Deployment, Hold, Outcome, Release
from infraaudit_domain.errors import ConfigurationError, InfraAuditError
from infraaudit_domain.judging.audit_log import Act
from infraaudit_domain.projects import Environment, Project

if TYPE_CHECKING:
    from resources.git.mirror import Mirror
    from resources.history import History
    from resources.targets.target import Target


def rollback(
    project: ProjectName,
    to: Annotated[
        str | None, typer.Option(help="Commit to go back to; the one that was live before by default.")
    ] = None,
    environment_name: EnvironmentName = None,
    advise: Annotated[
        bool, typer.Option("--advise", help="Only list the commits to go back to, and name the best.")
    ] = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Put back what ran before, as it was deployed then. Exits with 1 where it does not become healthy.

    No freeze and no missing approval keeps a commit from being put back that was healthy there before.
    """
    from infraaudit.deploying.holds import holds
    from resources.history.decisions.audit_log import BEGUN, log_act
    from resources.history.deployments import deployed

    found = find_project(project)
    environment, past = environment_of(found, environment_name), rated_history()
    live = past.live(found.name, environment.name)
    if live is None:
        raise InfraAuditError(
            f"Nothing of {found.name} was deployed to {environment.name}; there is nothing to roll back."
        )
    if advise:
        print_advice(found, past, live, chosen(form, as_json))
        return
    release = _to_commit(found, environment, past, to) if to else _to_before(past, live)
    never_live = deployed(past, found.name, environment.name, release.sha) is None
    held = holds(past, mirror_of(found), found, environment, release.sha) if never_live else None
    log_act(past, me(), Act.ROLLBACK, found.name, f"{live.sha} to {release.sha} in {environment.name}", BEGUN)
    done = deliver(found, environment, past, release, superseded=lambda _: "", held=held)
    finish(found, environment, done, chosen(form, as_json))


def _to_before(past: "History", live: Deployment) -> Release:
    from resources.history.deployments import deployed_before

    before = deployed_before(past, live)
    if before is None:
        raise InfraAuditError(
            f"Nothing else was healthy in {live.environment} before {live.sha[:12]}; name a commit with --to."
        )
    return Release(before.project, before.environment, before.sha, before.image, before.manifests)


def _to_commit(project: Project, environment: Environment, past: "History", to: str) -> Release:
    """A commit as it was deployed then; one that never was, as it would be now, through the tests and the gate."""
    from infraaudit.deploying.deploy import recorded_when_it_fails
    from infraaudit.deploying.release import build_release, first_reference, further_references
    from infraaudit_domain.judging.gate import judge_tests
    from resources.history.deployments import deployed

    mirror = mirror_of(project)
    sha = mirror.resolve(to)
    before = deployed(past, project.name, environment.name, sha)
    if before is not None:
        return Release(before.project, before.environment, before.sha, before.image, before.manifests)
    image, tests = past.image(project.name, sha), judge_tests(past.test_run(project.name, sha), project.tests)
    if image is None or not tests.passed:
        raise InfraAuditError(
            f"{to} was never healthy in {environment.name}, and cannot be deployed now: "
            f"{tests if image else 'it has no image'}. `infraaudit rollback --advise` names a commit."
        )
    require_gate(past, mirror, project, environment, sha)
    name = first_reference(past, project, sha)
    with recorded_when_it_fails(past, project.name, environment.name, sha):
        now, further = settings(), further_references(past, project, environment, sha)
        return build_release(mirror, now.state.checkouts, project, environment, sha, name, now.gate_file, further)


def require_gate(past: "History", mirror: "Mirror", project: Project, environment: Environment, sha: str) -> None:
    """Raises InfraAuditError where the gate does not let a commit into an environment."""
    from infraaudit.gate import judge_commit
    from infraaudit.scans.cross_scanning import prepare_judgement
    from infraaudit_assets.commands.scan import scanner_for

    prepare_judgement(past, mirror, project, environment.name, sha, lambda: scanner_for(past))
    verdict = judge_commit(past, mirror, project, environment.name, sha, settings().gate_file, datetime.now(UTC))
    if not verdict.passed:
        raise InfraAuditError(f"{sha[:12]} is not let through to {environment.name}: {verdict}")


def environment_of(project: Project, name: str | None) -> Environment:
    """An environment by its name, the first by default. Raises ConfigurationError that lists those there are."""
    found = next((one for one in project.environments if name in (None, one.name)), None)
    if found is None:
        names = ", ".join(one.name for one in project.environments)
        raise ConfigurationError(f"{project.name} has no environment {name!r}; it has: {names}.")
    return found


def target_of(environment: Environment, live: Deployment | None) -> "Target":
    """Where an environment is. Raises ClusterUnavailableError or EngineUnavailableError, and ClusterError where what
    is live is in a cluster that does not answer."""
    from resources.targets.connect import connect_target

    now = settings()
    return connect_target(now.target, environment, now.kubeconfig, now.engine, now.state.containers, live)


def deliver(
    project: Project,
    environment: Environment,
    past: "History",
    release: Release,
    superseded: Callable[[Deployment], str],
    held: Callable[[], Hold | None] | None = None,
) -> Deployment:
    """Deploy a release by hand; what keeps it from being tried at all is recorded, too. One that was healthy before, and
    that nothing holds, is not measured again."""
    from infraaudit.deploying.analysing import analyser_of
    from infraaudit.deploying.deploy import deploy, recorded_when_it_fails

    with recorded_when_it_fails(past, project.name, environment.name, release.sha):
        analyse = analyser_of(past, environment, settings().prometheus_url) if held else None
        target = target_of(environment, past.live(project.name, environment.name))
    return deploy(
        past,
        mirror_of(project),
        target,
        release,
        timeout=settings().rollout_seconds,
        superseded=superseded,
        on_progress=lambda line: print(line, file=sys.stderr),
        held=held or (lambda: None),
        analyse=analyse,
    )


def finish(project: Project, environment: Environment, done: Deployment, how: Format) -> None:
    """Show what became of a deployment, in Dagster too, and exit: with 0 where the release is live."""
    if done.outcome is Outcome.DEPLOYED:
        _show_in_dagster(project, environment, done)
    fields = ("project", "environment", "sha", "outcome", "replaced_sha", "target", "image", "url", "reason")
    message = f"{done.project} {done.sha[:12]} in {done.environment}: {done.outcome.value} {done.url or ''}".rstrip()
    message += f"\n{done.reason}" if done.reason else ""
    print_result({name: getattr(done, name) for name in fields}, how, message)
    raise typer.Exit(0 if done.is_live else 1)


def _show_in_dagster(project: Project, environment: Environment, done: Deployment) -> None:
    """What a person did is in the lineage too: a materialization of the environment's asset without a run."""
    import dagster as dg

    from infraaudit_assets.assets.deployment import deployment_metadata
    from infraaudit_assets.jobs import asset_of
    from infraaudit_assets.runs import dagster_instance
    from resources.dagster.partitions import commits_of

    with dagster_instance(settings()) as instance:
        instance.add_dynamic_partitions(commits_of(project).name or "", [done.sha])
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=asset_of(project, environment),
                partition=done.sha,
                metadata=deployment_metadata(done) | {"by": "hand"},
            )
        )
