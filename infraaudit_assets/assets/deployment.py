"""The `deployment` assets: the commit's manifests with its image, one asset for each environment of the project.

`deployment` is the first environment, which commits go to by themselves; `deployment_<name>` are those after it.
Deliberately absent: when a commit is promoted (sensors/promotions.py, `infraaudit promote`).
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from infraaudit_assets.assets.stage import RETRY, Stage, stage
from infraaudit_assets.assets.tables import code
from infraaudit_assets.checks import RELEASE_GATE, check_result, partitioned_check
from infraaudit_assets.domain.deployments import Deployment, Outcome
from infraaudit_assets.domain.errors import ClusterUnavailableError, EngineUnavailableError, ManifestError
from infraaudit_assets.domain.gate import Verdict, all_of, judge_tests
from infraaudit_assets.domain.notices import NOT_DEPLOYED
from infraaudit_assets.domain.projects import Environment, Project
from resources.git import Mirror
from resources.shells import ArtifactsResource, GitResource, HistoryResource, KubernetesResource


def deployment_name(project: Project, environment: Environment) -> str:
    """The name of the asset that is a project's environment."""
    first = environment is project.environment
    return "deployment" if first else f"deployment_{environment.name.replace('-', '_')}"


def build_deployment(project: Project, common: dict, environment: Environment) -> dg.AssetsDefinition:
    before = project.before(environment)
    upstream = (deployment_name(project, before),) if before else ("docker_image", "test_results", "scan_report")
    key = dg.AssetKey([*common["key_prefix"], deployment_name(project, environment)])
    gate = partitioned_check(
        RELEASE_GATE, key, common["partitions_def"],
        f"{before.name if before else 'test_results'} let it on, and its scan is within configs/gate.yaml.", blocking=True,
    )  # fmt: skip

    @dg.asset(
        **common,
        name=deployment_name(project, environment),
        description=f"The commit in {environment.name}, rolled out and healthy, or what ran before put back.",
        kinds={"kubernetes"},
        deps=[dg.AssetKey([*common["key_prefix"], name]) for name in upstream],
        check_specs=[gate],
        retry_policy=RETRY,
        output_required=False,
        pool=f"{project.name}_{environment.name}",
    )
    def deployment(
        context: dg.AssetExecutionContext,
        git: GitResource,
        kubernetes: KubernetesResource,
        history: HistoryResource,
        artifacts: ArtifactsResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        past = history.open()
        with stage(context, project, past) as current:
            mirror = git.mirror(project)
            ready = _was_tested(project, current) if before is None else _was_healthy(project, current, before)
            verdict = all_of((ready, _judge_scan(project, environment, current, mirror, Path(history.gate_file))))
            yield check_result(RELEASE_GATE, key, verdict)
            if not verdict.passed:
                _record_skip(project, environment, current, str(verdict))
                current.fail(f"{NOT_DEPLOYED} {verdict}")
                raise dg.Failure(f"{current.sha[:12]} is not deployed: {verdict}", allow_retries=False)
            if not _is_on(mirror, project, current.sha):
                _record_skip(project, environment, current, f"it is not on {project.deploy_branch}")
                return
            try:
                live = past.live(project.name, environment.name)
                target = kubernetes.connect(environment, live.target if live else "")
            except (ClusterUnavailableError, EngineUnavailableError) as error:
                _record_skip(project, environment, current, str(error))
                return
            progress: list[str] = []
            done = _deliver(
                project, environment, current, mirror, target, git.scratch, kubernetes.rollout_seconds,
                Path(history.gate_file), progress,
            )  # fmt: skip
            file = "manifests.yaml" if before is None else f"manifests-{environment.name}.yaml"
            artifacts.store().keep("deployments", project.name, current.sha, file, done.manifests.encode())
            if done.outcome is Outcome.SUPERSEDED:
                current.skip(done.reason)
                return
            metadata = deployment_metadata(done) | {"replicas over time": code("\n".join(progress))}
            if done.outcome is not Outcome.DEPLOYED:
                current.fail(f"{done.outcome.value}: {done.reason}")
                raise dg.Failure(
                    f"{current.sha[:12]} is {done.outcome.value}: {done.reason.splitlines()[0]}",
                    metadata=metadata,
                    allow_retries=False,
                )
            yield dg.MaterializeResult(data_version=dg.DataVersion(done.image), metadata=metadata)

    return deployment


def deployment_metadata(done: Deployment) -> dict[str, Any]:
    """What Dagster shows of a deployment."""
    return {
        "outcome": done.outcome.value,
        "target": done.target,
        "image": done.image,
        "replaced": done.replaced_sha[:12] if done.replaced_sha else "nothing",
        "seconds": (done.finished_at - done.started_at).total_seconds(),
        **({"url": dg.MetadataValue.url(done.url)} if done.url else {}),
        **({"reason": code(done.reason)} if done.reason else {}),
        "manifests": code(done.manifests),
    }


def _judge_scan(project: Project, environment: Environment, current: Stage, mirror: Mirror, gate_file: Path) -> Verdict:
    """Judge from the history again, so that launching this asset alone cannot go past the scan."""
    from resources.history.gatekeeper import judge_commit

    now = datetime.now(UTC)
    return judge_commit(current.history, mirror, project, environment.name, current.sha, gate_file, now)


def _was_tested(project: Project, current: Stage) -> Verdict:
    return judge_tests(current.history.test_run(project.name, current.sha))


def _was_healthy(project: Project, current: Stage, before: Environment) -> Verdict:
    from resources.history.queries.deployed import deployed

    found = deployed(current.history, project.name, before.name, current.sha)
    return Verdict() if found else Verdict((f"it was never healthy in {before.name}",))


def _deliver(
    project: Project, environment: Environment, current: Stage, mirror: Mirror, target: Any, scratch: Path,
    timeout: float, gate_file: Path, progress: list[str],
) -> Deployment:  # fmt: skip
    from resources.recorded_delivery import deliver_recorded, in_order
    from resources.releases import build_release

    image = current.history.image(project.name, current.sha)
    if image is None:
        raise ManifestError(f"{current.sha[:12]} has no image; materialize docker_image first.")
    release = build_release(
        mirror, scratch, project, environment, current.sha, image.digest or image.reference, gate_file
    )
    started = time.monotonic()

    def note(line: str) -> None:
        current.log.info(line)
        progress.append(f"{time.monotonic() - started:5.1f} s  {line}")

    return deliver_recorded(
        current.history, mirror, target, release,
        timeout=timeout, superseded=in_order(current.history, mirror, release), on_progress=note,
    )  # fmt: skip


def _is_on(mirror: Mirror, project: Project, sha: str) -> bool:
    tip = mirror.branches().get(project.deploy_branch)
    return tip is not None and mirror.is_ancestor(sha, tip)


def _record_skip(project: Project, environment: Environment, current: Stage, reason: str) -> None:
    now = datetime.now(UTC)
    current.skip(reason)
    current.history.record_deployment(
        Deployment(
            project.name, environment.name, current.sha, "none", Outcome.SKIPPED, current.started_at, now, reason=reason
        )
    )
