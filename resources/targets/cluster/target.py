"""Kubernetes as a target: server-side apply, then watch until healthy or hopeless.

Deliberately absent: rolling back (infraaudit/deploying/deploy.py), and any object outside the release's manifests.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.errors import ClusterError, InfraAuditError, RejectedByClusterError
from infraaudit_domain.kubernetes.drift import Difference
from infraaudit_domain.kubernetes.manifests import WORKLOADS, Document, identity
from infraaudit_domain.kubernetes.ownership import field_manager, owner_of
from infraaudit_domain.kubernetes.rollout import Judgement, judge_rollout
from resources.manifests.files import parse_manifests
from resources.targets.cluster import observe
from resources.targets.cluster.connection import REQUEST_SECONDS, Cluster, retried, translated
from resources.targets.cluster.image_loading import load_image
from resources.targets.cluster.lease import Lease
from resources.targets.cluster.logs import container_lines
from resources.targets.cluster.objects import discovered, drift_of, prune, unblock
from resources.targets.cluster.owners import checked_name, claim, hand_over
from resources.targets.cluster.schemas import schema_faults
from resources.targets.target import LogLine

_POLL_SECONDS = 0.2
_REFUSED_SECONDS = 5
"""An API server that has just started refuses requests until it has read its tokens and roles."""
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
        unschedulable_seconds: float = 60.0,
    ) -> None:
        """``force`` takes fields over from other managers; else such a conflict refuses the release.

        ``adopt`` are the objects of others (``Kind/name``) that it may take over. ``prune`` deletes, once a release is healthy, the objects of earlier ones that it does not contain.
        """
        self.cluster, self.namespace = cluster, namespace
        self.force, self.prune, self.unschedulable_seconds = force, prune, unschedulable_seconds
        self.adopt = tuple(adopt)
        self.lease: Lease | None = None

    @property
    def name(self) -> str:
        return f"kubernetes:{self.cluster.context}/{self.namespace}"

    def describe(self) -> str:
        return f"Kubernetes {self.cluster.version}, context {self.cluster.context}, namespace {self.namespace}"

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        """Apply a release and wait; a dry run of all of it comes first."""
        started = time.monotonic()
        documents = parse_manifests(release.manifests)
        workloads = [document for document in documents if document["kind"] in WORKLOADS]
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
            applying = _Applying(api, self, release.project, claimed.adopted)
            applying.apply(documents, dry_run=True)
        except RejectedByClusterError as error:
            return Rollout(False, f"{error} Nothing was changed.", changed=False)
        load_image(self.cluster.context, release.image, on_progress)
        try:
            applying.apply(documents, dry_run=False)
        except RejectedByClusterError as error:
            return Rollout(False, str(error), seconds=time.monotonic() - started)
        judgement, seen = self._wait(workloads, release.sha, started + timeout, on_progress)
        seconds, replicas = time.monotonic() - started, ("replicas over time", "\n".join(seen))
        if judgement.state == "available":
            if self.prune:
                gone = prune(self.cluster, self.namespace, release.project, release.environment, documents)
                on_progress(f"pruned: {', '.join(gone) or 'nothing'}")
            return Rollout(True, url=self._url(documents), seconds=seconds, details=(replicas,))
        details = self._why(workloads, release.sha)
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
        project = next((owner_of(document).project for document in documents), "")
        return drift_of(self.cluster, self.namespace, documents, field_manager(project))

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

    def _wait(
        self, workloads: list[Document], sha: str, deadline: float, on_progress: Callable[[str], None]
    ) -> tuple[Judgement, list[str]]:
        """Poll until the outcome is clear. Polling survives what breaks a watch: a restarted API server, an expired
        resource version.

        Raises RejectedByClusterError where the API server keeps refusing us.
        """
        started, not_refused, seen = time.monotonic(), time.monotonic(), [""]
        while True:
            try:
                judgement = self._judge(workloads, sha)
                not_refused = time.monotonic()
            except RejectedByClusterError as error:
                if time.monotonic() - not_refused > _REFUSED_SECONDS:
                    raise
                judgement = Judgement("progressing", str(error))
            if judgement.state != "progressing":
                return judgement, seen[1:]
            if time.monotonic() > deadline:
                return Judgement("failed", f"{judgement.reason}, and its time is up"), seen[1:]
            if not seen[-1].endswith(judgement.reason):
                seen.append(f"{time.monotonic() - started:5.1f} s  {judgement.reason}")
                on_progress(judgement.reason)
            time.sleep(_POLL_SECONDS)

    def _judge(self, workloads: list[Document], sha: str) -> Judgement:
        try:
            for document in workloads:
                if document["kind"] == "StatefulSet" and (gone := unblock(self.cluster, self.namespace, document, sha)):
                    return Judgement("progressing", f"{gone} blocked its StatefulSet and was deleted")
            judgements = [
                judge_rollout(
                    *observe.status_of(self.cluster, self.namespace, document, sha),
                    unschedulable_seconds=self.unschedulable_seconds,
                )
                for document in workloads
            ]
        except ClusterError as error:  # A restarted API server stops no rollout.
            return Judgement("progressing", str(error))
        failed = next((j for j in judgements if j.state == "failed"), None)
        waiting = next((j for j in judgements if j.state == "progressing"), None)
        return failed or waiting or judgements[0]

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


@dataclass(frozen=True)
class _Applying:
    """Server-side apply of one release, by its project's own field manager."""

    api: Any
    target: KubernetesTarget
    project: str
    adopted: Set[str]

    def apply(self, documents: Iterable[Document], dry_run: bool) -> None:
        options = {"dry_run": "All"} if dry_run else {}
        for document in documents:
            lease = self.target.lease
            if lease is not None and lease.lost.is_set():
                raise ClusterError(f"{lease.name} was taken over by another machine; run the step again.")
            retried(
                f"{'checking' if dry_run else 'applying'} {identity(document)}",
                lambda document=document: self.api.resources.get(  # type: ignore[misc]
                    api_version=document["apiVersion"], kind=document["kind"]
                ).server_side_apply(
                    body=document,
                    name=checked_name(document),
                    namespace=self.target.namespace,
                    field_manager=field_manager(self.project),
                    force_conflicts=self.target.force or identity(document) in self.adopted,
                    _request_timeout=REQUEST_SECONDS,
                    **options,
                ),
            )


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
