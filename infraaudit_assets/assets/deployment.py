"""The `deployment` assets: the commit's manifests with its image, one asset for each environment of the project.

`deployment` is the first environment, which commits are deployed to automatically; `deployment_<name>` are those
after it. Deliberately absent: when a commit is promoted (sensors/promotions.py, `infraaudit promote`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from infraaudit.deploying.analysing import analyser_of
from infraaudit.deploying.deploy import deploy, in_order, recorded_when_it_fails
from infraaudit.deploying.holds import holds
from infraaudit.deploying.release import build_release, first_reference, further_references
from infraaudit.gate import judge_commit
from infraaudit.scans.cross_scanning import Runner, prepare_judgement
from infraaudit_assets.assets.checks import RELEASE_GATE, check_result, partitioned_check
from infraaudit_assets.assets.stage import RETRY, Stage, name_run, stage
from infraaudit_assets.assets.tables import code, table
from infraaudit_domain.commits import Commit
from infraaudit_domain.dagster_names import deployment_name, image_name
from infraaudit_domain.delivery.deployments import HELD, NOWHERE, Deployment, Outcome
from infraaudit_domain.errors import ClusterUnavailableError, EngineUnavailableError, excerpt
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.judging.verdicts import Verdict, all_of
from infraaudit_domain.projects import Environment, Project
from infraaudit_domain.reporting.notices import NOT_DEPLOYED
from resources.dagster.resources import (
    ArtifactsResource,
    CheckovResource,
    GitResource,
    HistoryResource,
    KubernetesResource,
    PrometheusResource,
)
from resources.git.mirror import Mirror
from resources.history.deployments import deployed
from resources.manifests.files import without_secrets
from resources.targets.target import Target

_NOT_TRIED = HELD | {Outcome.SUPERSEDED, Outcome.SKIPPED}


def build_deployment(project: Project, common: dict, environment: Environment) -> dg.AssetsDefinition:
    before = project.before(environment)
    images = [image_name(project, source) for source in (project.first_image, *project.further_images)]
    upstream = (deployment_name(project, before),) if before else (*images, "test_results", "scan_report")
    key = dg.AssetKey([*common["key_prefix"], deployment_name(project, environment)])
    file = "manifests.yaml" if before is None else f"manifests-{environment.name}.yaml"
    gate = partitioned_check(
        RELEASE_GATE,
        key,
        common["partitions_def"],
        f"{before.name if before else 'test_results'} let it on, and its scan is within configs/gate.yaml.",
        blocking=True,
    )

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
        checkov: CheckovResource,
        kubernetes: KubernetesResource,
        history: HistoryResource,
        artifacts: ArtifactsResource,
        prometheus: PrometheusResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        with stage(context, project, history.connect()) as current:
            turn = _Turn(project, environment, current, git.connect(project), Path(history.gate_file))
            turn.prepare(lambda: checkov.connect(current.history))
            verdict = turn.judge()
            yield check_result(RELEASE_GATE, key, verdict, history.explanations())
            name_run(context, turn.commit)
            if not verdict.passed:
                about = turn.named() | {"stopped": table(["why not"], [(reason,) for reason in verdict.reasons])}
                context.log_event(dg.AssetObservation(key, partition=current.sha, metadata=about))
                turn.skip(str(verdict))
                current.fail(f"{NOT_DEPLOYED} {verdict}")
                raise dg.Failure(f"{current.sha[:12]} is not deployed: {verdict}", allow_retries=False)
            if not turn.is_on_deploy_branch():
                turn.skip(f"it is not on {project.deploy_branch}")
                return
            live = current.history.live(project.name, environment.name)
            try:
                with turn.recorded():
                    target = kubernetes.connect(environment, live)
            except (ClusterUnavailableError, EngineUnavailableError) as error:
                turn.skip(str(error))
                return
            progress = _Progress(current)
            done = turn.deliver(target, git.scratch, kubernetes.rollout_seconds, progress.note, prometheus.url)
            kept = without_secrets(done.manifests).encode()
            artifacts.connect().keep("deployments", project.name, current.sha, file, kept)
            if done.outcome in _NOT_TRIED:
                current.skip(done.reason)
                return
            metadata = (
                turn.named() | deployment_metadata(done) | {"replicas over time": code("\n".join(progress.lines))}
            )
            if not done.is_live:
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
        "manifests": code(without_secrets(done.manifests)),
    }


@dataclass(frozen=True)
class _Turn:
    """The deployment of one commit to one environment."""

    project: Project
    environment: Environment
    stage: Stage
    mirror: Mirror
    gate_file: Path

    def prepare(self, runner: Runner) -> None:
        """Scan what judging the commit here needs, which is nothing where the scanner and the rules are the same."""
        prepare_judgement(self.stage.history, self.mirror, self.project, self.environment.name, self.stage.sha, runner)

    @cached_property
    def commit(self) -> Commit:
        return self.mirror.commit(self.stage.sha)

    def named(self) -> dict[str, Any]:
        """By what people know the commit."""
        return {"subject": excerpt(self.commit.subject, 200), "author": excerpt(self.commit.author_name, 200)}

    def judge(self) -> Verdict:
        """Judge from the history again, so that launching this asset alone cannot bypass the tests or the scan."""
        return all_of((self._judge_before(), self._judge_scan()))

    def _judge_before(self) -> Verdict:
        history, project, sha = self.stage.history, self.project, self.stage.sha
        before = project.before(self.environment)
        if before is None:
            return judge_tests(history.test_run(project.name, sha), project.tests)
        if deployed(history, project.name, before.name, sha):
            return Verdict()
        return Verdict((f"it was never healthy in {before.name}",))

    def _judge_scan(self) -> Verdict:
        return judge_commit(
            self.stage.history,
            self.mirror,
            self.project,
            self.environment.name,
            self.stage.sha,
            self.gate_file,
            datetime.now(UTC),
        )

    def is_on_deploy_branch(self) -> bool:
        tip = self.mirror.branches().get(self.project.deploy_branch)
        return tip is not None and self.mirror.is_ancestor(self.stage.sha, tip)

    def deliver(
        self, target: Target, scratch: Path, timeout: float, note: Callable[[str], None], prometheus_url: str | None
    ) -> Deployment:
        """Deliver the commit's manifests with its image. ``timeout`` is in seconds."""
        history, sha = self.stage.history, self.stage.sha
        name = first_reference(history, self.project, sha)
        with self.recorded():
            analyse = analyser_of(history, self.environment, prometheus_url)
            further = further_references(history, self.project, self.environment, sha)
            release = build_release(
                self.mirror, scratch, self.project, self.environment, sha, name, self.gate_file, further
            )
        return deploy(
            history,
            self.mirror,
            target,
            release,
            timeout=timeout,
            superseded=in_order(history, self.mirror, release),
            on_progress=note,
            held=holds(history, self.mirror, self.project, self.environment, sha),
            analyse=analyse,
        )

    def recorded(self) -> AbstractContextManager[None]:
        """What is refused before it is deployed is an attempt that failed, too; a target that is missing is none."""
        return recorded_when_it_fails(self.stage.history, self.project.name, self.environment.name, self.stage.sha)

    def skip(self, reason: str) -> None:
        """Say and record that this commit is not deployed here, and why."""
        self.stage.skip(reason)
        skipped = Deployment(
            self.project.name,
            self.environment.name,
            self.stage.sha,
            NOWHERE,
            Outcome.SKIPPED,
            self.stage.started_at,
            datetime.now(UTC),
            reason=reason,
        )
        self.stage.history.record_deployment(skipped)


@dataclass
class _Progress:
    """Log a rollout's messages as they come, with the seconds since its start."""

    stage: Stage
    lines: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def note(self, line: str) -> None:
        self.stage.log.info(line)
        self.lines.append(f"{time.monotonic() - self.started:5.1f} s  {line}")
