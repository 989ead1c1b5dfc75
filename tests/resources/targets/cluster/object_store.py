"""A cluster's object store in this process: the requests of the real client are answered from memory.

Controllers are instant: a workload whose container has the argument ``crash`` crashes, ``hang`` is never ready, a Job with
``fail`` fails; all others are done at once. Real clusters are in tests/e2e.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.resources.targets.cluster.field_ownership import FieldConflictError, applied, updated
from tests.resources.targets.cluster.memory import _apply as apply_one

Document = dict[str, Any]
GROUPS = {
    "v1": ("ConfigMap", "Secret", "Service", "ServiceAccount", "Pod", "Event"),
    "apps/v1": ("Deployment", "StatefulSet", "DaemonSet"),
    "batch/v1": ("Job", "CronJob"),
    "batch/v1beta1": ("CronJob",),
    "networking.k8s.io/v1": ("NetworkPolicy", "Ingress"),
    "autoscaling/v1": ("HorizontalPodAutoscaler",),
    "policy/v1": ("PodDisruptionBudget",),
    "policy/v1beta1": ("PodDisruptionBudget",),
    "coordination.k8s.io/v1": ("Lease",),
}
_PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}
_KINDS = {_PLURALS.get(kind, f"{kind.lower()}s"): kind for kinds in GROUPS.values() for kind in kinds}


class RefusalError(Exception):
    def __init__(self, status: int, message: str, reason: str = "Invalid", **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"kind": "Status", "code": status, "message": message, "reason": reason, "details": details}


@dataclass
class ObjectStore:
    """One namespace; ``objects`` by ``Kind/name``."""

    now: Callable[[], datetime]
    objects: dict[str, Document] = field(default_factory=dict)
    writes: int = 0

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, content: str) -> tuple[int, Any]:
        try:
            return 200, self._answer(method, path, query, body, content)
        except RefusalError as refusal:
            return refusal.status, refusal.body

    def _answer(self, method: str, path: str, query: dict[str, str], body: Any, content: str) -> Any:
        parts = path.strip("/").split("/")
        if "namespaces" not in parts:
            return _discovery(parts)
        place = parts.index("namespaces")
        version, (plural, *rest) = "/".join(parts[1:place]), parts[place + 2 :]
        kind = _KINDS[plural]
        if len(rest) > 1:
            return ""  # The log of a pod.
        if not rest and method == "GET":
            items = list(self._listed(kind, query.get("labelSelector", "")))
            return {"kind": f"{kind}List", "apiVersion": version, "metadata": {"resourceVersion": "1"}, "items": items}
        name = f"{kind}/{rest[0] if rest else body['metadata'].get('name')}"
        is_trial = query.get("dryRun") == "All"
        if method == "POST":
            return self._made(name, {"apiVersion": version, "kind": kind} | body, is_trial)
        found = self.objects.get(name)
        if method == "PATCH" and content.startswith("application/apply-patch"):
            return self._applied(name, found, body, query, is_trial)
        if found is None:
            raise RefusalError(404, f"{name} not found", "NotFound")
        if method == "GET":
            return _with_status(found)
        if method == "DELETE":
            self.writes += 1
            return self.objects.pop(name)
        if method == "PUT":
            _require_version(found, body["metadata"]["resourceVersion"])
            return self._stored(name, found, {**found, **body, "metadata": {**found["metadata"], **body["metadata"]}})
        return self._patched(name, found, body)

    def _listed(self, kind: str, selector: str) -> Iterator[Document]:
        wanted = dict(one.split("=") for one in selector.split(",") if one)
        every = list(self._pods()) if kind == "Pod" else [o for o in self.objects.values() if o["kind"] == kind]
        for one in every:
            if wanted.items() <= (one["metadata"].get("labels") or {}).items():
                yield _with_status(one)

    def _pods(self) -> Iterator[Document]:
        for one in self.objects.values():
            if one["kind"] == "Deployment":
                yield _pod(one)

    def _made(self, name: str, body: Document, is_trial: bool) -> Document:
        if name in self.objects:
            raise RefusalError(409, f"{name} already exists", "AlreadyExists")
        return body if is_trial else self._stored(name, None, self._fresh(name, body))

    def _fresh(self, name: str, body: Document) -> Document:
        made = self.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        uid = f"uid-{self.writes}"
        metadata = {"name": name.partition("/")[2], "namespace": "x", "uid": uid, "creationTimestamp": made}
        return {**body, "metadata": {**body["metadata"], **metadata, "generation": 0, "resourceVersion": "0"}}

    def _applied(
        self, name: str, found: Document | None, body: Document, query: dict[str, str], trial: bool
    ) -> Document:
        empty = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {}}
        live = found if found is not None else self._fresh(name, empty)
        try:
            now = applied(live, body, query["fieldManager"], force=query.get("force", "").lower() == "true")
        except FieldConflictError as error:
            raise RefusalError(
                409, str(error), "Conflict", causes=[{"reason": "FieldManagerConflict", "message": str(error)}]
            ) from error
        if found is not None and found["kind"] == "Job" and now["spec"] != found["spec"]:
            raise RefusalError(422, f"{name}: spec.template: Invalid value: field is immutable")
        return now if trial else self._stored(name, found, now)

    def _patched(self, name: str, found: Document, body: list[Document]) -> Document:
        now = copy.deepcopy(found)
        for one in body:
            if one["path"] == "/metadata/resourceVersion":
                _require_version(found, one["value"])
            else:
                apply_one(now, one)
        given = any(one["path"] == "/metadata/managedFields" for one in body)
        return self._stored(name, found, now if given else updated(found, now))

    def _stored(self, name: str, found: Document | None, now: Document) -> Document:
        if found is not None and now == found:
            return _with_status(found)
        self.writes += 1
        if found is None or now.get("spec") != found.get("spec"):
            now["metadata"]["generation"] = now["metadata"].get("generation", 0) + 1
        now["metadata"]["resourceVersion"] = str(self.writes)
        self.objects[name] = copy.deepcopy(now)
        return _with_status(now)


def _require_version(found: Document, version: str) -> None:
    if found["metadata"]["resourceVersion"] != version:
        raise RefusalError(409, "the object has been modified", "Conflict")


def _discovery(parts: list[str]) -> Document:
    if parts == ["version"]:
        return {"kind": "Version", "major": "1", "minor": "30", "gitVersion": "v1.30.0"}
    if parts == ["apis"]:
        groups: dict[str, list[Document]] = {}
        for version in GROUPS:
            if "/" in version:
                known = groups.setdefault(version.split("/")[0], [])
                known.append({"groupVersion": version, "version": version.split("/")[1]})
        return {
            "kind": "APIGroupList",
            "groups": [{"name": name, "versions": all_, "preferredVersion": all_[0]} for name, all_ in groups.items()],
        }
    kinds = GROUPS.get("/".join(parts[1:]), ())
    return {"kind": "APIResourceList", "resources": [{"name": _PLURALS.get(kind, f"{kind.lower()}s"), "kind": kind, "namespaced": True,
                           "singularName": "", "verbs": ["get"]} for kind in kinds]}  # fmt: skip


def _how(document: Document) -> str:
    return str((document["spec"]["template"]["spec"]["containers"][0].get("args") or [""])[0])


def _with_status(document: Document) -> Document:
    shown, how = copy.deepcopy(document), ""
    if document["kind"] in ("Deployment", "Job"):
        how = _how(document)
    if document["kind"] == "Job":
        failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "it failed"}
        shown["status"] = {"conditions": [failed if how == "fail" else {"type": "Complete", "status": "True"}]}
    elif document["kind"] == "Deployment":
        replicas = document["spec"]["replicas"]
        ready = replicas if how not in ("crash", "hang") else 0
        shown["status"] = {"observedGeneration": document["metadata"]["generation"], "replicas": replicas,
                           "updatedReplicas": replicas, "availableReplicas": ready}  # fmt: skip
    return shown


def _pod(workload: Document) -> Document:
    template = workload["spec"]["template"]
    key = hashlib.sha1(json.dumps([workload["metadata"]["uid"], template], sort_keys=True).encode()).hexdigest()[:10]
    state: Document = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    if _how(workload) != "crash":
        state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    status = {
        "name": "web",
        "image": "i",
        "imageID": "i",
        "ready": False,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }
    metadata = {**template["metadata"], "name": f"{workload['metadata']['name']}-{key}", "uid": key}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"],
            "status": {"containerStatuses": [status]}}  # fmt: skip
