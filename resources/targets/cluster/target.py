"""Kubernetes as a target: server-side apply, then watch until healthy or hopeless.

Deliberately absent: deciding on a rollback (infraaudit/deploying/deploy.py), and any object outside the release's manifests.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.errors import InfraAuditError, RejectedByClusterError
from infraaudit_domain.kubernetes.drift import Difference
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule
from infraaudit_domain.kubernetes.manifests import Document, identity
from infraaudit_domain.kubernetes.ownership import field_manager, owner_of
from infraaudit_domain.kubernetes.rollout import judge_rollout
from resources.manifests.files import parse_manifests
from resources.targets.cluster import observe
from resources.targets.cluster.applying import Applying, Live, left_to_autoscalers
from resources.targets.cluster.connection import Cluster, translated
from resources.targets.cluster.drift import Comparison
from resources.targets.cluster.image_loading import load_image
from resources.targets.cluster.lease import Lease
from resources.targets.cluster.logs import container_lines
from resources.targets.cluster.objects import discovered, prune
from resources.targets.cluster.owners import claim, hand_over
from resources.targets.cluster.schemas import schema_faults
from resources.targets.cluster.watching import Watch
from resources.targets.cluster.way_back import WayBack
from resources.targets.target import LogLine

_URL_SECONDS = 5


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

    @property
    def name(self) -> str:
        return f"kubernetes:{self.cluster.context}/{self.namespace}"

    def describe(self) -> str:
        return f"Kubernetes {self.cluster.version}, context {self.cluster.context}, namespace {self.namespace}"

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        """Apply a release and wait; a dry run of all of it comes first."""
        return self._roll_out(release, time.monotonic() + timeout, on_progress, None)

    def put_back(
        self, failed: Release, before: Release | None, *, timeout: float, on_progress: Callable[[str], None]
    ) -> Rollout:
        """Undo a release; Jobs of the one before are not run again."""
        brought = parse_manifests(failed.manifests)
        documents = parse_manifests(before.manifests) if before else []
        way_back = WayBack(discovered(self.cluster), self.namespace, failed, self._found)
        undo = partial(way_back.go, brought, frozenset(identity(document) for document in documents))
        if before is None:
            return Rollout(True, "\n".join(undo()))
        return self._roll_out(before, time.monotonic() + timeout, on_progress, undo)

    def _roll_out(
        self,
        release: Release,
        deadline: float,
        on_progress: Callable[[str], None],
        undo: Callable[[], list[str]] | None,
    ) -> Rollout:
        started = time.monotonic()
        documents = parse_manifests(release.manifests)
        if faults := schema_faults(documents, self.cluster.version):
            return Rollout(
                False, "\n".join(["The manifests fit no schema. Nothing was changed.", *faults]), changed=False
            )
        try:
            api = discovered(self.cluster)
            claimed = claim(api, self.namespace, documents, release.project, release.environment, self.adopt)
            if claimed.refused:
                return Rollout(False, "\n".join(["Nothing was changed.", *claimed.refused]), changed=False)
            hand_over(api, self.namespace, claimed.former, release.project)
            wanted = [document for document in documents if undo is None or document["kind"] != "Job"]
            wanted = left_to_autoscalers(api, self.namespace, wanted, claimed.live)
            applying = Applying(
                api,
                self.namespace,
                release.project,
                claimed.live,
                claimed.adopted,
                self.force or self.self_heal,
                self.lease,
            )
            applying.check(wanted)
            watch = Watch.of(
                self.cluster, self.namespace, release.sha, wanted, claimed.live, self.unschedulable_seconds
            )
        except RejectedByClusterError as error:
            return Rollout(False, f"{error} Nothing was changed.", changed=False)
        load_image(self.cluster.context, release.image, on_progress)
        if undo is None:
            self._found = claimed.live
        try:
            applying.apply(wanted)
        except RejectedByClusterError as error:
            untouched = "" if applying.changed else " Nothing was changed."
            seconds = time.monotonic() - started
            return Rollout(False, f"{error}{untouched}", seconds=seconds, changed=bool(applying.changed))
        undone = undo() if undo else []
        if self.self_heal:
            undone += self._comparison(documents).take_out(documents)
        judgement = watch.wait(deadline, on_progress)
        seconds, replicas = time.monotonic() - started, ("replicas over time", "\n".join(watch.seen))
        if judgement.state == "available":
            if self.prune:
                gone = prune(self.cluster, self.namespace, release.project, release.environment, documents)
                on_progress(f"pruned: {', '.join(gone) or 'nothing'}")
            notes = "\n".join([*undone, *watch.notes])
            return Rollout(True, notes, url=self._url(documents), seconds=seconds, details=(replicas,))
        details = self._why(watch.workloads, release.sha)
        reason = "\n".join([judgement.reason, *(f"{name}:\n{text}" for name, text in details)])
        return Rollout(False, reason=reason, seconds=seconds, details=(*details, replicas))

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
        return Rollout(bad is None, bad.reason if bad else "", url=self._url(services))

    def drift(self, manifests: str) -> list[Difference]:
        """How the running objects differ from what was deployed."""
        documents = parse_manifests(manifests)
        return self._comparison(documents).differences(documents)

    def _comparison(self, documents: list[Document]) -> Comparison:
        project = next((owner_of(document).project for document in documents), "")
        return Comparison(discovered(self.cluster), self.namespace, field_manager(project), self.ignored)

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        """Lines of every pod of the project, including the instance before a restart."""
        from kubernetes import client

        core = client.CoreV1Api(self.cluster.client)
        with translated(f"reading the logs of {project}"):
            pods = observe.pods_of(self.cluster, self.namespace, f"infraaudit/project={project}")
            for pod in (one for one in pods if observe.is_of(one, environment)):
                for status in pod.status.container_statuses or ():
                    for previous in (True, False) if status.restart_count else (False,):
                        name, sha = pod.metadata.name, observe.commit_of(pod) or ""
                        for moment, text in container_lines(core, self.namespace, name, status.name, previous, since):
                            yield LogLine(moment, status.name, text, name, sha, "", previous)

    @contextmanager
    def exclusive(
        self, project: str, environment: str, *, holder: str, wait_seconds: float, on_wait: Callable[[str], None]
    ) -> Iterator[None]:
        """Hold the environment's Lease; a rollout that loses it changes nothing further."""
        self.lease = Lease(
            self.cluster, self.namespace, f"infraaudit-{project}-{environment}".replace("_", "-"), holder
        )
        with self.lease.held(wait_seconds, on_wait):
            yield

    def _url(self, documents: Iterable[Any]) -> str | None:
        """The URL of the first Service, where it answers from this machine."""
        for document in documents:
            if document["kind"] == "Service":
                try:
                    address, port = observe.service_address(self.cluster, self.namespace, document["metadata"]["name"])
                except InfraAuditError:  # A release is healthy even without an address to show.
                    return None
                if address and _answers(address, port, _URL_SECONDS):
                    return f"http://{address}:{port}"
        return None


def _answers(address: str, port: int, seconds: float) -> bool:
    """Whether an address accepts connections; a refusal is retried, because a node needs a moment to route it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((address, port), timeout=2):
                return True
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        except OSError:  # This machine cannot reach the cluster's addresses.
            return False
