"""`infraaudit deploy` and `promote`: bring a commit to an environment by hand, through the gates."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.delivery import deliver, environment_of, finish, require_gate
from infraaudit_assets.commands.options import AsJson, EnvironmentName, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.person import me, person
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.rated import rated_history
from infraaudit_assets.commands.rejection import resolved
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.errors import ConfigurationError, InfraAuditError
from infraaudit_domain.judging.audit_log import Act
from infraaudit_domain.projects import Environment, Project

if TYPE_CHECKING:
    from resources.git.mirror import Mirror
    from resources.history import History

OverrideFreeze = Annotated[
    bool, typer.Option("--override-freeze", help="Deploy in a freeze, too; --reason is recorded with your name.")
]
Reason = Annotated[str, typer.Option(help="Why a freeze is overridden.")]


def deploy(
    project: ProjectName,
    commit: Annotated[str, typer.Option(help="Commit to deploy.")],
    environment_name: EnvironmentName = None,
    override_freeze: OverrideFreeze = False,
    reason: Reason = "",
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Deploy a commit that was built and tested, now and by hand. Exits with 1 where it does not become healthy.

    Its gates are asked as always. To any environment but the first it is promoted. For example:
    infraaudit deploy --project shop --commit 1a2b3c4 --override-freeze --reason "closes the hole of today"
    """
    found = find_project(project)
    environment = environment_of(found, environment_name)
    sha = resolved(found, commit)
    _bring(found, environment, sha, reason if override_freeze else None, chosen(form, as_json))


def promote(
    project: ProjectName,
    to: Annotated[str, typer.Option("--to", help="Environment to promote to.")],
    commit: Annotated[
        str | None, typer.Option(help="The commit that is live one environment before, by default.")
    ] = None,
    override_freeze: OverrideFreeze = False,
    reason: Reason = "",
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Bring what is healthy in one environment to the next. Exits with 1 where it does not become healthy there."""
    found = find_project(project)
    environment = environment_of(found, to)
    if found.before(environment) is None:
        raise ConfigurationError(f"{to} is the first environment of {found.name}; commits go there by themselves.")
    sha = mirror_of(found).resolve(commit) if commit else None
    _bring(found, environment, sha, reason if override_freeze else None, chosen(form, as_json))


def _bring(project: Project, environment: Environment, sha: str | None, override: str | None, how: Format) -> None:
    """Deploy a commit, by default what is live one environment before; ``override`` is why a freeze is overridden."""
    from infraaudit.deploying.approving import override_freeze
    from infraaudit.deploying.deploy import recorded_when_it_fails
    from infraaudit.deploying.holds import holds
    from infraaudit.deploying.release import build_release, further_references
    from resources.history.decisions.audit_log import BEGUN, log_act

    past, mirror = rated_history(), mirror_of(project)
    sha, image = _source(past, mirror, project, environment, sha)
    require_gate(past, mirror, project, environment, sha)
    if override is not None:
        override_freeze(past, project, environment, sha, person(), override, me())
    with recorded_when_it_fails(past, project.name, environment.name, sha):
        now, further = settings(), further_references(past, project, environment, sha)
        release = build_release(mirror, now.state.checkouts, project, environment, sha, image, now.gate_file, further)
    log_act(past, me(), Act.DEPLOY, project.name, f"{sha} in {environment.name}", BEGUN)
    held = holds(past, mirror, project, environment, sha)
    done = deliver(project, environment, past, release, _older(mirror, sha), held)
    finish(project, environment, done, how)


def _source(
    past: "History", mirror: "Mirror", project: Project, environment: Environment, sha: str | None
) -> tuple[str, str]:
    """The commit and its image. Raises InfraAuditError where it may not be brought to the environment."""
    from infraaudit.deploying.release import first_reference
    from infraaudit_domain.judging.gate import judge_tests
    from resources.history.deployments import deployed

    previous = project.before(environment)
    if previous is not None:
        source = deployed(past, project.name, previous.name, sha)
        if source is None:
            named = sha[:12] if sha else "No commit"
            raise InfraAuditError(f"{named} was never healthy in {previous.name}; deploy it there first.")
        return source.sha, source.image
    assert sha is not None  # only promotion has a default
    image, tests = past.image(project.name, sha), judge_tests(past.test_run(project.name, sha), project.tests)
    if image is None or not tests.passed:
        raise InfraAuditError(f"{sha[:12]} cannot be deployed: {tests if image else 'it has no image; run it first'}.")
    tip = mirror.branches().get(project.deploy_branch)
    if tip is None or not mirror.is_ancestor(sha, tip):
        raise InfraAuditError(f"{sha[:12]} is not on {project.deploy_branch}, which alone is deployed.")
    return sha, first_reference(past, project, sha)


def _older(mirror: "Mirror", sha: str) -> Callable[[Deployment], str]:
    def older(live: Deployment) -> str:
        newer = mirror.is_ancestor(sha, live.sha)
        return f"the newer commit {live.sha[:12]} is live; go back with `infraaudit rollback`" if newer else ""

    return older
