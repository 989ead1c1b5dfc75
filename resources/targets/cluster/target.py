"""Kubernetes as a target: server-side apply, then watch until healthy or hopeless.

Deliberately absent: deciding on a rollback (infraaudit/deploying), and any object outside the release's manifests.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache, partial

from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.errors import InfraAuditError, RejectedByClusterError
from infraaudit_domain.kubernetes.drift import Difference
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule
from infraaudit_domain.kubernetes.manifests import Document, identity
from infraaudit_domain.kubernetes.ownership import field_manager, owner_of
from infraaudit_domain.kubernetes.phases import ROLLBACK, hook_of, phases
from infraaudit_domain.kubernetes.rollout import Judgement, judge_rollout
from resources.manifests.files import parse_manifests
from resources.targets.cluster import observe
from resources.targets.cluster.applying import Applying, Live, left_to_autoscalers
from resources.targets.cluster.connection import Cluster
from resources.targets.cluster.drift import Comparison
from resources.targets.cluster.image_loading import load_image, local_images
from resources.targets.cluster.lease import Lease
from resources.targets.cluster.objects import discovered, prune
from resources.targets.cluster.owners import claim, hand_over
from resources.targets.cluster.pod_logs import pod_lines
from resources.targets.cluster.reachable import url_of
from resources.targets.cluster.schemas import schema_faults
from resources.targets.cluster.tidying import tidy
from resources.targets.cluster.watching import Watch
from resources.targets.cluster.way_back import WayBack
from resources.targets.target import LogLine


class KubernetesTarget:
    """One namespace of one cluster."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        force: bool = False,
        prune: bool = False,
        adopt: Iterable[str] = (),
        ignored: Iterable[IgnoreRule] = (),
        self_heal: bool = False,
        unschedulable_seconds: float = 60.0,
    ) -> None:
        """``force`` takes fields over from other managers; else such a conflict refuses the release.

        ``adopt`` are the objects of others (``Kind/name``) that it may take over. ``prune`` deletes, once a release is
        healthy, the objects of earlier ones that it does not contain. ``self_heal`` takes over what others changed, and
        takes out what they added, but for what ``ignored`` covers.
        """
        self.cluster, self.namespace = cluster, namespace
        self.force, self.prune, self.unschedulable_seconds = force, prune, unschedulable_seconds
        self.adopt, self.ignored, self.self_heal = tuple(adopt), tuple(ignored), self_heal
        self.lease: Lease | None = None
        self._found: Live = {}
        """What the release that was deployed last has met."""

    @property
    def name(self) -> str:
        return f"kubernetes:{self.cluster.context}/{self.namespace}"

    def describe(self) -> str:
        return f"Kubernetes {self.cluster.version}, context {self.cluster.context}, namespace {self.namespace}"

    def put_back(
        self, failed: Release, before: Release | None, *, timeout: float, on_progress: Callable[[str], None]
    ) -> Rollout:
        """Undo a release; Jobs of the one before are not run again, its own for the way back are, in half of ``timeout``."""
        brought = parse_manifests(failed.manifests)
        documents = parse_manifests(before.manifests) if before else []
        met, hooks = self._found, Rollout(True)
        if own := [document for document in brought if hook_of(document) == ROLLBACK]:
            hooks = self._tried(failed, [own], timeout / 2, on_progress)
            met = {**self._found, **met}
        way_back = WayBack(discovered(self.cluster), self.namespace, failed, met, self.adopt, self.lease)
        # Once, at the first chance: what the failed release brought may be what keeps the one before from starting.
        undo = cache(partial(way_back.go, brought, frozenset(identity(document) for document in documents)))
        back = Rollout(True)
        if before is not None:
            wanted = [document for document in documents if document["kind"] != "Job"]
            back = self._tried(before, phases(wanted), timeout, on_progress, undo)
        reason = "\n".join(filter(None, (hooks.reason, back.reason, *undo())))
        return replace(back, healthy=back.healthy and hooks.healthy, reason=reason)

    def tidy(self, killed: Release, since: datetime, stays: Release | None, live: Release | None) -> list[str]:
        """Remove what an attempt that was cut off had made, and put back what it had changed of what was live."""
        api = discovered(self.cluster)
        return tidy(WayBack(api, self.namespace, killed, {}, self.adopt, self.lease), since, stays, live, self.force)

    def _tried(
        self,
        release: Release,
        steps: list[list[Document]],
        seconds: float,
        on_progress: Callable[[str], None],
        undo: Callable[[], object] | None = None,
    ) -> Rollout:
        """A part of the way back: whatever ends it must not keep the other parts from being done."""
        try:
            return self._roll_out(release, steps, time.monotonic() + seconds, on_progress, undo)
        except InfraAuditError as error:
            return Rollout(False, str(error))

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        """Apply a release and wait, phase by phase; a dry run of all of it comes first."""
        self._found = {}
        documents = parse_manifests(release.manifests)
        if faults := schema_faults(documents, self.cluster.version):
            return Rollout(
                False, "\n".join(["The manifests fit no schema. Nothing was changed.", *faults]), changed=False
            )
        wanted = [document for document in documents if not (release.is_live and document["kind"] == "Job")]
        hooks = [document for document in wanted if hook_of(document) == ROLLBACK]
        rollout = self._roll_out(release, phases(wanted), time.monotonic() + timeout, on_progress, beside=hooks)
        if not rollout.healthy:
            return rollout
        if self.prune:
            gone = prune(self.cluster, self.namespace, release, documents, self.check_exclusive)
            on_progress(f"pruned: {', '.join(gone) or 'nothing'}")
        return replace(rollout, url=url_of(self.cluster, self.namespace, documents))

    def _roll_out(
        self,
        release: Release,
        steps: list[list[Document]],
        deadline: float,
        on_progress: Callable[[str], None],
        undo: Callable[[], object] | None = None,
        beside: Sequence[Document] = (),
    ) -> Rollout:
        """``beside`` is tried before anything is applied, and not applied: Jobs of a way back that may come."""
        started = time.monotonic()
        try:
            applying, steps, watch = self._prepared(release, steps, beside)
        except _RefusedError as refused:
            return Rollout(False, str(refused), changed=False)
        self._found = applying.live
        for image in local_images(release.image, release.manifests):
            load_image(self.cluster.context, image, on_progress)
        notes: list[str] = []
        for number, step in enumerate(steps, 1):
            try:
                applying.apply(step)
            except RejectedByClusterError as error:
                untouched = "" if applying.changed else " Nothing was changed."
                seconds = time.monotonic() - started
                return Rollout(False, f"{error}{untouched}", seconds=seconds, changed=bool(applying.changed))
            if undo:
                undo()
            if number == len(steps) and self.self_heal:
                notes += self._comparison(step).take_out(_flat(steps))
            judgement = watch.wait(step, deadline, on_progress)
            if judgement.state != "available":
                return self._unhealthy(release, judgement, watch, started)
            notes += [f"{identity(job)} ({hook_of(job)}) is complete" for job in step if hook_of(job)]
        held = watch.hold(0 if undo or release.is_live else release.soak, deadline, on_progress)
        if held.state != "available":
            return self._unhealthy(release, held, watch, started)
        notes += watch.notes
        replicas = ("replicas over time", "\n".join(watch.seen))
        return Rollout(True, "\n".join(notes), seconds=time.monotonic() - started, details=(replicas,))

    def _prepared(
        self, release: Release, steps: list[list[Document]], beside: Sequence[Document]
    ) -> tuple[Applying, list[list[Document]], Watch]:
        """Ask whose it is, and try all of it. Raises _RefusedError where nothing of it may be applied."""
        documents = _flat(steps)
        try:
            api = discovered(self.cluster)
            every = [*documents, *beside]
            claimed = claim(api, self.namespace, every, release.project, release.environment, self.adopt)
            if claimed.refused:
                raise _RefusedError("\n".join(["Nothing was changed.", *claimed.refused]))
            hand_over(api, self.namespace, claimed.former, release.project, self.check_exclusive)
            steps = [left_to_autoscalers(api, self.namespace, step, claimed.live, documents) for step in steps]
            force = self.force or self.self_heal
            applying = Applying(api, self.namespace, release.project, claimed.live, claimed.adopted, force, self.lease)
            applying.check([*_flat(steps), *beside])
            patience, ask = self.unschedulable_seconds, self.check_exclusive
            watch = Watch.of(self.cluster, self.namespace, release.sha, documents, claimed.live, patience, ask)
        except RejectedByClusterError as error:
            raise _RefusedError(f"{error} Nothing was changed.") from error
        return applying, steps, watch

    def _unhealthy(self, release: Release, judgement: Judgement, watch: Watch, started: float) -> Rollout:
        details = self._why(watch.workloads, release.sha)
        reason = "\n".join([judgement.reason, *(f"{name}:\n{text}" for name, text in details)])
        replicas = ("replicas over time", "\n".join(watch.seen))
        return Rollout(False, reason=reason, seconds=time.monotonic() - started, details=(*details, replicas))

    def _why(self, workloads: list[Document], sha: str) -> tuple[tuple[str, str], ...]:
        try:
            return observe.failure_details(self.cluster, self.namespace, workloads, sha)
        except InfraAuditError as error:  # A gap in the record must not prevent the rollback.
            return (("events and logs", str(error)),)

    def probe(self, project: str, environment: str) -> Rollout:
        """Whether the workloads of a project are available now."""
        found = observe.workloads_of(self.cluster, self.namespace, project, environment)
        if not found:
            return Rollout(False, f"Nothing of {project} runs in {self.name}.")
        judgements = [judge_rollout(status, []) for status in found]
        bad = next((judgement for judgement in judgements if judgement.state != "available"), None)
        services = observe.services_of(self.cluster, self.namespace, project, environment)
        return Rollout(bad is None, bad.reason if bad else "", url=url_of(self.cluster, self.namespace, services))

    def drift(self, manifests: str) -> list[Difference]:
        """How the running objects differ from what was deployed."""
        documents = parse_manifests(manifests)
        return self._comparison(documents).differences(documents)

    def _comparison(self, documents: list[Document]) -> Comparison:
        manager = field_manager(next((owner_of(document).project for document in documents), ""))
        return Comparison(discovered(self.cluster), self.namespace, manager, self.ignored, self.check_exclusive)

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        """Lines of every pod of the project, including the instance before a restart."""
        return pod_lines(self.cluster, self.namespace, project, environment, since)

    @contextmanager
    def exclusive(
        self, project: str, environment: str, *, holder: str, wait_seconds: float, on_wait: Callable[[str], None]
    ) -> Iterator[None]:
        """Hold the environment's Lease; a rollout that loses it changes nothing further."""
        name = f"infraaudit-{project}-{environment}".replace("_", "-")
        self.lease = Lease(self.cluster, self.namespace, name, holder)
        with self.lease.held(wait_seconds, on_wait):
            yield

    def check_exclusive(self) -> None:
        """Raises ClusterError where the Lease was lost."""
        if self.lease is not None:
            self.lease.check()


class _RefusedError(Exception):
    """A release that is refused before anything of it is applied."""


def _flat(steps: list[list[Document]]) -> list[Document]:
    return [document for step in steps for document in step]
