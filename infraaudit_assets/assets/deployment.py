"""The `deployment` asset: the commit's manifests with its image, in the project's first environment."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from infraaudit_assets.assets.stage import RETRY, Stage, stage
from infraaudit_assets.assets.tables import code
from infraaudit_assets.checks import RELEASE_GATE, check_result, partitioned_check
from infraaudit_assets.domain.deployments import Deployment, Outcome, Release
from infraaudit_assets.domain.errors import ClusterUnavailableError, EngineUnavailableError, ManifestError
from infraaudit_assets.domain.gate import Verdict, all_of, judge_tests
from infraaudit_assets.domain.projects import Project
from resources.git import Mirror
from resources.shells import ArtifactsResource, GitResource, HistoryResource, KubernetesResource


def build_deployment(project: Project, common: dict) -> dg.AssetsDefinition:
    upstream = ("docker_image", "test_results", "scan_report")
    key = dg.AssetKey([*common["key_prefix"], "deployment"])
    gate = partitioned_check(
        RELEASE_GATE, key, common["partitions_def"],
        "The tests passed, and the scan is complete and within the limits of configs/gate.yaml.", blocking=True,
    )  # fmt: skip

    @dg.asset(
        **common,
        name="deployment",
        description=f"The commit in {project.environment.name}, rolled out and healthy, or what ran before put back.",
        kinds={"kubernetes"},
        deps=[dg.AssetKey([*common["key_prefix"], name]) for name in upstream],
        check_specs=[gate],
        retry_policy=RETRY,
        output_required=False,
        pool=f"{project.name}_{project.environment.name}",
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
            verdict = _gate(project, current, mirror, Path(history.gate_file))
            yield check_result(RELEASE_GATE, key, verdict)
            if not verdict.passed:
                _record_skip(project, current, str(verdict))
                current.fail(f"Not deployed: {verdict}")
                raise dg.Failure(f"{current.sha[:12]} is not deployed: {verdict}", allow_retries=False)
            if not _is_on(mirror, project, current.sha):
                _record_skip(project, current, f"it is not on {project.deploy_branch}")
                return
            try:
                live = past.live(project.name, project.environment.name)
                target = kubernetes.connect(project.environment, live.target if live else "")
            except (ClusterUnavailableError, EngineUnavailableError) as error:
                _record_skip(project, current, str(error))
                return
            done = _deliver(project, current, mirror, target, git.scratch, kubernetes.rollout_seconds)
            artifacts.store().keep("deployments", project.name, current.sha, "manifests.yaml", done.manifests.encode())
            if done.outcome is Outcome.SUPERSEDED:
                current.skip(done.reason)
                return
            if done.outcome is not Outcome.DEPLOYED:
                current.fail(f"{done.outcome.value}: {done.reason}")
                raise dg.Failure(
                    f"{current.sha[:12]} is {done.outcome.value}: {done.reason.splitlines()[0]}",
                    metadata=_metadata(done),
                    allow_retries=False,
                )
            yield dg.MaterializeResult(data_version=dg.DataVersion(done.image), metadata=_metadata(done))

    return deployment


def _gate(project: Project, current: Stage, mirror: Mirror, gate_file: Path) -> Verdict:
    """Judge from the history again, so that launching this asset alone cannot go past the tests or the scan."""
    from resources.history.gatekeeper import judge_commit

    past, place = current.history, project.environment.name
    tests = judge_tests(past.test_run(project.name, current.sha))
    return all_of((tests, judge_commit(past, mirror, project, place, current.sha, gate_file, datetime.now(UTC))))


def _deliver(
    project: Project, current: Stage, mirror: Mirror, target: object, scratch: Path, timeout: float
) -> Deployment:
    from resources.delivery import deliver
    from resources.manifest_files import render_release

    image = current.history.image(project.name, current.sha)
    if image is None:
        raise ManifestError(f"{current.sha[:12]} has no image; materialize docker_image first.")
    with mirror.checkout(current.sha, scratch) as folder:
        manifests = render_release(folder, project, project.environment, current.sha, image.digest or image.reference)
    release = Release(project.name, project.environment.name, current.sha, image.digest or image.reference, manifests)
    return deliver(
        target,  # type: ignore[arg-type]
        release,
        live=lambda: current.history.live(project.name, project.environment.name),
        is_older=lambda live: mirror.is_ancestor(current.sha, live.sha),
        lock=mirror.path.parent / f".deploy-{project.name}-{project.environment.name}.lock",
        timeout=timeout,
        clock=lambda: datetime.now(UTC),
        on_progress=current.log.info,
        record=current.history.record_deployment,
    )


def _is_on(mirror: Mirror, project: Project, sha: str) -> bool:
    tip = mirror.branches().get(project.deploy_branch)
    return tip is not None and mirror.is_ancestor(sha, tip)


def _record_skip(project: Project, current: Stage, reason: str) -> None:
    now = datetime.now(UTC)
    current.skip(reason)
    current.history.record_deployment(
        Deployment(
            project.name,
            project.environment.name,
            current.sha,
            "none",
            Outcome.SKIPPED,
            current.started_at,
            now,
            reason=reason,
        )
    )


def _metadata(done: Deployment) -> dict[str, Any]:
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
