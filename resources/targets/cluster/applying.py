"""Apply the documents of one release: server-side, by its project's own field manager, all of them tried first.

A Job's template cannot be changed, so a Job that differs, or that failed before, is made anew. Deliberately absent:
waiting for what was applied (watching.py), and taking it back (way_back.py).
"""

import time
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from infraaudit_domain.errors import ClusterError, RejectedByClusterError
from infraaudit_domain.kubernetes.autoscaling import left_alone, scaled_by
from infraaudit_domain.kubernetes.fields import items, mapping
from infraaudit_domain.kubernetes.manifests import Document, identity
from infraaudit_domain.kubernetes.ownership import field_manager
from infraaudit_domain.kubernetes.phases import defined_kinds, hook_of, is_among
from resources.targets.cluster.connection import REQUEST_SECONDS, retried
from resources.targets.cluster.lease import Lease
from resources.targets.cluster.owners import checked_name, read_object

_SCALED = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})
_GONE_SECONDS = 60
_POLL_SECONDS = 0.1

Live = Mapping[str, dict[str, Any] | None]
"""What was there before, by ``Kind/name``; None where nothing was."""


@dataclass
class Applying:
    """One release on its way into a namespace."""

    api: Any
    namespace: str
    project: str
    live: Live
    adopted: Set[str] = frozenset()
    force: bool = False
    lease: Lease | None = None
    changed: list[str] = field(default_factory=list)
    """What the cluster has in another way since we applied it."""
    anew: set[str] = field(default_factory=set)
    """The Jobs that are made anew."""

    def check(self, documents: Iterable[Document]) -> None:
        """Try all of it. Raises RejectedByClusterError for the first that the cluster refuses.

        Objects of a kind that the release itself brings are tried by being applied, once that is there.
        """
        release = list(documents)
        brought = defined_kinds(release)
        if brought:  # What the client remembers of an earlier look may be gone.
            retried("discovering the API", self.api.resources.invalidate_cache)
        for document in release:
            if is_among(document, brought) and not self._is_known(document):
                continue
            if document["kind"] != "Job":
                self._send(document, dry_run=True)
            elif self._must_be_anew(document):
                self.anew.add(identity(document))
                self._check_new(document)

    def apply(self, documents: Iterable[Document]) -> None:
        """Apply all of it; ``changed`` says how far it came where it raises."""
        for document in documents:
            if self.lease is not None:
                self.lease.check()
            name = identity(document)
            if name in self.anew:
                self.changed.append(name)
                remove(self.api, self.namespace, document, wait=True)
            made = self._send(document, dry_run=False)
            before = self.live.get(name)
            if before is None or _version(made) != _version(before):
                self.changed.append(name)

    def _is_known(self, document: Document) -> bool:
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        def look() -> bool:
            try:
                self._resource(document)
            except ResourceNotFoundError:
                return False
            return True

        return retried(f"looking for the kind of {identity(document)}", look)

    def _must_be_anew(self, document: Document) -> bool:
        before = self.live.get(identity(document))
        if before is not None and (has_failed(before) or hook_of(document)):
            return True
        try:
            self._send(document, dry_run=True)
        except RejectedByClusterError as error:
            if before is None or "immutable" not in str(error):
                raise
            return True
        return False

    def _check_new(self, document: Document) -> None:
        """Try a Job under a name that is free."""
        metadata = {key: value for key, value in document["metadata"].items() if key != "name"}
        trial = document | {"metadata": metadata | {"generateName": "infraaudit-trial-"}}
        retried(f"checking {identity(document)}", lambda: self._resource(document).create(
            body=trial, namespace=self.namespace, dry_run="All", _request_timeout=REQUEST_SECONDS
        ))  # fmt: skip

    def _send(self, document: Document, *, dry_run: bool) -> Any:
        options = {"dry_run": "All"} if dry_run else {}
        return retried(
            f"{'checking' if dry_run else 'applying'} {identity(document)}",
            lambda: self._resource(document).server_side_apply(
                body=document,
                name=checked_name(document),
                namespace=self.namespace,
                field_manager=field_manager(self.project),
                force_conflicts=self.force or identity(document) in self.adopted,
                _request_timeout=REQUEST_SECONDS,
                **options,
            ),
        )

    def _resource(self, document: Document) -> Any:
        return self.api.resources.get(api_version=document["apiVersion"], kind=document["kind"])


def left_to_autoscalers(
    api: Any, namespace: str, documents: Iterable[Document], live: Live, of: Iterable[Document] = ()
) -> list[Document]:
    """The documents, with the replicas of what an autoscaler scales left to it: one of theirs or of the release that
    they are a part ``of``, or one that is there."""
    release = list(documents)
    if not any(document["kind"] in _SCALED and live.get(identity(document)) for document in release):
        return release
    own = [document for document in (*release, *of) if document["kind"] == "HorizontalPodAutoscaler"]
    scaled = scaled_by([*own, *_autoscalers(api, namespace)])
    return [
        left_alone(document, live.get(identity(document))) if identity(document) in scaled else document
        for document in release
    ]


def _autoscalers(api: Any, namespace: str) -> list[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        try:
            resource = api.resources.get(api_version="autoscaling/v1", kind="HorizontalPodAutoscaler")
        except ResourceNotFoundError:
            return []
        return list(resource.get(namespace=namespace, _request_timeout=REQUEST_SECONDS).to_dict()["items"])

    return retried("listing the autoscalers", read)


def has_failed(job: Mapping[str, Any]) -> bool:
    """Whether a Job that is there has ended badly."""
    conditions = [mapping(one) for one in items(mapping(job.get("status")).get("conditions"))]
    return any(one.get("type") in ("Failed", "FailureTarget") and one.get("status") == "True" for one in conditions)


def remove(api: Any, namespace: str, document: Document, *, wait: bool = False) -> None:
    """Delete an object, and what it owns; a missing one is no error. Raises ClusterError where it does not go."""
    from kubernetes.client.exceptions import ApiException

    resource = api.resources.get(api_version=document["apiVersion"], kind=document["kind"])
    policy = {"propagationPolicy": "Foreground" if wait else "Background"}

    def delete() -> None:
        try:
            resource.delete(
                name=checked_name(document), namespace=namespace, body=policy, _request_timeout=REQUEST_SECONDS
            )
        except ApiException as error:
            if error.status != 404:
                raise

    retried(f"removing {identity(document)}", delete)
    if wait:
        _until(
            lambda: read_object(api, namespace, document) is None, f"{identity(document)} is deleted and does not go"
        )


def _until(done: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + _GONE_SECONDS
    while not done():
        if time.monotonic() > end:
            raise ClusterError(f"{otherwise} within {_GONE_SECONDS} s; run the step again.")
        time.sleep(_POLL_SECONDS)


def _version(found: Any) -> str:
    given = found if isinstance(found, dict) else found.to_dict()
    return str(mapping(given.get("metadata")).get("resourceVersion"))
