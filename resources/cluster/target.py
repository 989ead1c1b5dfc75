"""Kubernetes as a target: server-side apply, then watch until healthy or hopeless.

Deliberately absent: rolling back (resources/delivery.py), and any object outside the release's manifests.
"""

import socket
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from infraaudit_assets.domain.deployments import Release, Rollout
from infraaudit_assets.domain.manifests import WORKLOADS, Document, identity
from infraaudit_assets.domain.rollout import Judgement, judge_rollout
from resources.cluster import observe
from resources.cluster.connection import REQUEST_SECONDS, Cluster, translated
from resources.manifest_files import parse_manifests
from resources.targets import LogLine

FIELD_MANAGER = "infraaudit"
_POLL_SECONDS = 0.5


class KubernetesTarget:
    """One namespace of one cluster."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    @property
    def name(self) -> str:
        return f"kubernetes:{self.cluster.context}/{self.namespace}"

    def describe(self) -> str:
        return f"Kubernetes {self.cluster.version}, context {self.cluster.context}, namespace {self.namespace}"

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        """Apply a release and wait; the whole of it is tried as a dry run before anything is changed."""
        started = time.monotonic()
        documents = parse_manifests(release.manifests)
        self._apply(documents, dry_run=True)
        self._apply(documents, dry_run=False)
        workloads = [document for document in documents if document["kind"] in WORKLOADS]
        judgement = self._wait(workloads, release.sha, started + timeout, on_progress)
        seconds = time.monotonic() - started
        if judgement.state == "available":
            return Rollout(True, url=self._url(documents), seconds=seconds)
        details = observe.failure_details(self.cluster, self.namespace, workloads, release.sha)
        reason = "\n".join([judgement.reason, *(f"{name}:\n{text}" for name, text in details)])
        return Rollout(False, reason=reason, seconds=seconds, details=details)

    def probe(self, project: str, environment: str) -> Rollout:
        """Whether the workloads of a project are available now."""
        found = observe.workloads_of(self.cluster, self.namespace, project)
        if not found:
            return Rollout(False, f"Nothing of {project} runs in {self.name}.")
        judgements = [judge_rollout(status, []) for status in found]
        bad = next((judgement for judgement in judgements if judgement.state != "available"), None)
        services = observe.services_of(self.cluster, self.namespace, project)
        return Rollout(bad is None, bad.reason if bad else "", url=self._url(services))

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        """Lines of every pod of the project, the instance before a restart included."""
        return observe.logs_of(self.cluster, self.namespace, project, since)

    def _apply(self, documents: Iterable[Document], dry_run: bool) -> None:
        from kubernetes import dynamic

        options = {"dry_run": "All"} if dry_run else {}
        with translated("discovering the API"):
            api = dynamic.DynamicClient(self.cluster.client)
        for document in documents:
            with translated(f"{'checking' if dry_run else 'applying'} {identity(document)}"):
                resource = api.resources.get(api_version=document["apiVersion"], kind=document["kind"])
                resource.server_side_apply(
                    body=document, name=document["metadata"]["name"], namespace=self.namespace,
                    field_manager=FIELD_MANAGER, _request_timeout=REQUEST_SECONDS, **options,
                )  # fmt: skip

    def _wait(
        self, workloads: list[Document], sha: str, deadline: float, on_progress: Callable[[str], None]
    ) -> Judgement:
        said = ""
        while True:
            judgements = [
                judge_rollout(*observe.status_of(self.cluster, self.namespace, document, sha)) for document in workloads
            ]
            worst = next((j for j in judgements if j.state == "failed"), None)
            waiting = next((j for j in judgements if j.state == "progressing"), None)
            if worst or not waiting:
                return worst or judgements[0]
            if time.monotonic() > deadline:
                return Judgement("failed", f"{waiting.reason}, and its time is up")
            if waiting.reason != said:
                said = waiting.reason
                on_progress(said)
            time.sleep(_POLL_SECONDS)

    def _url(self, documents: Iterable[Any]) -> str | None:
        """Where the first Service answers from this machine, where it does."""
        for document in documents:
            if document["kind"] == "Service":
                address, port = observe.service_address(self.cluster, self.namespace, document["metadata"]["name"])
                if address and _answers(address, port):
                    return f"http://{address}:{port}"
        return None


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False
