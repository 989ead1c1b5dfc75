"""Watch a rollout until it is healthy or hopeless, judged from the moment it was applied.

Polling survives what breaks a watch of the API: a restarted API server, an expired resource version. Deliberately
absent: the judgement itself (infraaudit_domain/kubernetes/rollout.py).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from infraaudit_domain.errors import ClusterError, RejectedByClusterError
from infraaudit_domain.kubernetes.manifests import WORKLOADS, Document, identity
from infraaudit_domain.kubernetes.phases import DEFINITION
from infraaudit_domain.kubernetes.rollout import (
    Judgement,
    PodStatus,
    WorkloadStatus,
    is_hopeless,
    judge_definition,
    judge_job,
    judge_rollout,
    restarted,
)
from resources.targets.cluster import observe
from resources.targets.cluster.applying import Live
from resources.targets.cluster.connection import REFUSED_SECONDS, Cluster, retried
from resources.targets.cluster.objects import remove_pod, unblock

_POLL_SECONDS = 0.2
_TRIED_SECONDS = 5
_WAITED_FOR = WORKLOADS | {"Job", DEFINITION}


@dataclass
class Watch:
    """The workloads and Jobs of one release."""

    cluster: Cluster
    namespace: str
    sha: str
    workloads: list[Document]
    unschedulable_seconds: float
    before: dict[str, WorkloadStatus] = field(default_factory=dict)
    """What each was like when the release met it."""
    hopeless: dict[str, str] = field(default_factory=dict)
    """The pods that were hopeless then: their uid and name. They are no result of this rollout."""
    ended: set[str] = field(default_factory=set)
    """The Jobs that were seen complete; they may be gone since."""
    answered: float = field(default_factory=time.monotonic)
    """When the API server answered last without refusing us."""
    began: float = field(default_factory=time.monotonic)
    ask: Callable[[], None] = lambda: None
    """Called before each pod that is deleted; raises where another machine delivers by now."""
    seen: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        cluster: Cluster,
        namespace: str,
        sha: str,
        documents: Iterable[Document],
        live: Live,
        unschedulable: float,
        ask: Callable[[], None],
    ) -> "Watch":
        """Look at what is there, before anything is applied."""
        waited_for = [document for document in documents if document["kind"] in _WAITED_FOR]
        watch = cls(cluster, namespace, sha, waited_for, unschedulable, ask=ask)
        for document in waited_for:
            if document["kind"] in WORKLOADS and live.get(identity(document)):
                look = partial(observe.status_of, cluster, namespace, document, sha)
                status, pods = retried(f"reading {identity(document)}", look)
                watch.before[identity(document)] = status
                watch.hopeless |= {pod.uid: pod.pod for pod in pods if is_hopeless(pod)}
        return watch

    def wait(self, documents: Iterable[Document], deadline: float, on_progress: Callable[[str], None]) -> Judgement:
        """Poll until the outcome of some of them is clear; call it at once after they were applied.

        Raises RejectedByClusterError where the API server keeps refusing us.
        """
        self.began = self.answered = time.monotonic()
        names = {identity(document) for document in documents}
        workloads = [document for document in self.workloads if identity(document) in names]
        self._renew(workloads)
        while True:
            judgement = self._patiently(workloads)
            if judgement.state != "progressing":
                return judgement
            if time.monotonic() > deadline:
                return Judgement("failed", f"{judgement.reason}, and its time is up")
            if not (self.seen and self.seen[-1].endswith(judgement.reason)):
                self.seen.append(f"{time.monotonic() - self.began:5.1f} s  {judgement.reason}")
                on_progress(judgement.reason)
            time.sleep(_POLL_SECONDS)

    def hold(self, seconds: float, deadline: float, on_progress: Callable[[str], None]) -> Judgement:
        """Watch what has become available for a while longer: it must not fail, nor any of its containers restart.

        What is not available at the end is waited for as long as the rollout itself could have taken. Raises
        RejectedByClusterError where the API server keeps refusing us.
        """
        workloads = [document for document in self.workloads if document["kind"] in WORKLOADS]
        if seconds <= 0 or not workloads:
            return Judgement("available", "")
        on_progress(f"available; it has to stay so for {seconds:g} s")
        began = self.answered = time.monotonic()
        first: list[PodStatus] | None = None
        while True:
            age = time.monotonic() - began
            judgement, pods = self._patiently(workloads), self._pods(workloads)
            first = pods if first is None else first
            why = restarted(first or [], pods or []) or (judgement.reason if judgement.state == "failed" else "")
            if not why and judgement.state == "progressing" and time.monotonic() > deadline + seconds:
                why = f"{judgement.reason}, and its time is up"
            if why:
                return Judgement("failed", f"{why}, {age:.0f} s after it had become available (soak: {seconds:g} s)")
            if age >= seconds and judgement.state == "available" and pods is not None:
                return judgement
            time.sleep(min(1.0, max(seconds - age, _POLL_SECONDS)))

    def _patiently(self, workloads: Iterable[Document]) -> Judgement:
        """The judgement. Raises RejectedByClusterError once the API server has refused us for some seconds."""
        try:
            judgement = self._judge(workloads)
        except RejectedByClusterError as error:
            if time.monotonic() - self.answered > REFUSED_SECONDS:
                raise
            return Judgement("progressing", str(error))
        self.answered = time.monotonic()
        return judgement

    def _pods(self, workloads: Iterable[Document]) -> list[PodStatus] | None:
        """None where the API server did not say."""
        try:
            found = [observe.status_of(self.cluster, self.namespace, one, self.sha)[1] for one in workloads]
        except (ClusterError, RejectedByClusterError):  # A restarted API server is no restarted container.
            return None
        return [pod for pods in found for pod in pods]

    def _renew(self, workloads: Iterable[Document]) -> None:
        """Delete the pods that were hopeless already, where the same template makes new ones: what they lacked may be
        there now, and they would come back to it only after minutes."""
        try:
            for document in workloads if self.hopeless else ():
                before = self.before.get(identity(document))
                if before is None:
                    continue
                status, pods = observe.status_of(self.cluster, self.namespace, document, self.sha)
                if status.generation == before.generation:
                    for name in {pod.pod for pod in pods if pod.uid in self.hopeless}:
                        self.ask()
                        remove_pod(self.cluster, self.namespace, name)
        except ClusterError:  # They are not judged in any case.
            return

    def _judge(self, workloads: Iterable[Document]) -> Judgement:
        try:
            judgements = [self._judgement_of(document) for document in workloads]
        except ClusterError as error:  # A restarted API server stops no rollout.
            return Judgement("progressing", str(error))
        failed = next((j for j in judgements if j.state == "failed"), None)
        waiting = next((j for j in judgements if j.state == "progressing"), None)
        if not failed and not waiting:
            self.notes += [one.note for one in judgements if one.note and one.note not in self.notes]
        return failed or waiting or next(iter(judgements), Judgement("available", "nothing to wait for"))

    def _judgement_of(self, document: Document) -> Judgement:
        limit = self.unschedulable_seconds
        if document["kind"] == DEFINITION:
            name = document["metadata"]["name"]
            return judge_definition(observe.definition(self.cluster, name), name)
        if document["kind"] == "Job":
            if identity(document) in self.ended:
                return Judgement("available", f"{identity(document)} is complete")
            job, pods = observe.status_of_job(self.cluster, self.namespace, document["metadata"]["name"])
            self.ended |= {identity(document)} if job.complete else set()
            return judge_job(job, self._since_then(pods), unschedulable_seconds=limit)
        is_ordered = document["kind"] == "StatefulSet"
        if is_ordered and (gone := unblock(self.cluster, self.namespace, document, self.sha, self.ask)):
            return Judgement("progressing", f"{gone} blocked its StatefulSet and was deleted")
        status, pods = observe.status_of(self.cluster, self.namespace, document, self.sha)
        before = self.before.get(identity(document))
        if before and status.generation != before.generation and time.monotonic() - self.began > _TRIED_SECONDS:
            before = replace(before, failure_since="")  # New pods were tried since, and failed alike.
        return judge_rollout(status, self._since_then(pods), unschedulable_seconds=limit, before=before)

    def _since_then(self, pods: Iterable[PodStatus]) -> list[PodStatus]:
        """The pods as far as this rollout is concerned."""
        age = time.monotonic() - self.began
        own = (pod for pod in pods if pod.uid not in self.hopeless)
        return [replace(pod, unschedulable_seconds=min(pod.unschedulable_seconds, age)) for pod in own]
