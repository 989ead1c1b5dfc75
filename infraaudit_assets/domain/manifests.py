"""Manifests of a commit, made into those of a release: checked, ordered, labelled, with the image just built.

Everything the pipeline does not own stays as its author wrote it. Works on parsed documents (dicts as YAML gives
them); deliberately absent: reading and writing YAML (resources/manifest_files.py), talking to a cluster.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infraaudit_assets.domain.errors import ManifestError

Document = dict[str, Any]

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
ALLOWED_KINDS = WORKLOADS | {
    "ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim", "Ingress", "NetworkPolicy",
    "HorizontalPodAutoscaler", "PodDisruptionBudget", "Job", "CronJob",
}  # fmt: skip
_ORDER = ("ServiceAccount", "ConfigMap", "Secret", "PersistentVolumeClaim", "NetworkPolicy", "Service")


def render_manifests(
    documents: Sequence[tuple[str, Document]],
    *,
    project: str,
    sha: str,
    environment: str,
    namespace: str,
    image: str,
    container: str | None = None,
) -> list[Document]:
    """The documents of a release, in the order in which they are applied.

    ``documents`` are (path, document) pairs. Raises ManifestError that lists every refusal with its path.
    """
    faults = [fault for path, document in documents for fault in _refusals(path, document, namespace)]
    if not any(document.get("kind") in WORKLOADS for _, document in documents if isinstance(document, dict)):
        faults.append("no Deployment, StatefulSet or DaemonSet is among the manifests, so nothing would run the image")
    if faults:
        raise ManifestError("The manifests are refused:\n" + "\n".join(f"  {fault}" for fault in faults))
    labels = {"app.kubernetes.io/managed-by": "infraaudit", "infraaudit/project": project}
    annotations = {"infraaudit/commit": sha, "infraaudit/environment": environment}
    rendered = [_render(document, namespace, image, container, labels, annotations) for _, document in documents]
    _require_one_use(rendered, image, container)
    return sorted(rendered, key=lambda document: _place(document["kind"]))


def identity(document: Mapping[str, Any]) -> str:
    """``Kind/name`` of a document, for messages."""
    return f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"


def pod_spec(document: Document) -> Document | None:
    """The pod spec that a workload holds, or None."""
    spec = document.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    found = template.get("spec") if isinstance(template, dict) else None
    return found if isinstance(found, dict) else None


def _place(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _refusals(path: str, document: object, namespace: str) -> Iterator[str]:
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        yield f"{path}: is no Kubernetes object (apiVersion, kind and metadata.name are needed)"
        return
    kind, metadata = document.get("kind"), document["metadata"]
    if not all(isinstance(value, str) and value for value in (document.get("apiVersion"), kind, metadata.get("name"))):
        yield f"{path}: apiVersion, kind and metadata.name must be texts"
        return
    where = f"{path}: {identity(document)}"
    if kind not in ALLOWED_KINDS:
        yield f"{where}: kind {kind} is not among those that a commit may bring"
    if metadata.get("namespace", namespace) != namespace:
        yield f"{where}: names the namespace {metadata['namespace']}; the project's is {namespace}"
    if kind in WORKLOADS and pod_spec(document) is None:
        yield f"{where}: has no spec.template.spec"
    for spec in filter(None, [pod_spec(document)]):
        yield from (f"{where}: {fault}" for fault in _pod_refusals(spec))


def _pod_refusals(spec: Document) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is not allowed"
    for volume in spec.get("volumes") or ():
        if isinstance(volume, dict) and "hostPath" in volume:
            yield f"volume {volume.get('name')} uses hostPath, which is not allowed"
    for container in _containers(spec):
        security = container.get("securityContext") or {}
        if security.get("privileged") or security.get("allowPrivilegeEscalation") is True:
            yield f"container {container.get('name')} asks for privileges, which is not allowed"
        for added in (security.get("capabilities") or {}).get("add") or ():
            if added != "NET_BIND_SERVICE":
                yield f"container {container.get('name')} adds the capability {added}, which is not allowed"


def _containers(spec: Document) -> list[Document]:
    found = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return [container for container in found if isinstance(container, dict)]


def _render(
    document: Document, namespace: str, image: str, container: str | None,
    labels: Mapping[str, str], annotations: Mapping[str, str],
) -> Document:  # fmt: skip
    rendered = copy.deepcopy(document)
    metadata = rendered["metadata"]
    metadata["namespace"] = namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    if rendered["kind"] in WORKLOADS:
        template = rendered["spec"]["template"]
        pod = template.setdefault("metadata", {})
        pod["labels"] = {**(pod.get("labels") or {}), "infraaudit/project": labels["infraaudit/project"]}
        pod["annotations"] = {**(pod.get("annotations") or {}), "infraaudit/commit": annotations["infraaudit/commit"]}
        _replace_image(template["spec"], image, container)
    return rendered


def _replace_image(spec: Document, image: str, container: str | None) -> None:
    containers = [found for found in spec.get("containers") or () if isinstance(found, dict)]
    chosen = [found for found in containers if found.get("name") == container] if container else containers[:1]
    for found in chosen:
        found["image"] = image
        if "@" not in image and found.get("imagePullPolicy") == "Always":
            # A local image has no registry to pull from; the kubelet would fail on Always.
            found["imagePullPolicy"] = "IfNotPresent"


def _require_one_use(rendered: Sequence[Document], image: str, container: str | None) -> None:
    specs = [spec for document in rendered if document["kind"] in WORKLOADS and (spec := pod_spec(document))]
    if not any(found.get("image") == image for spec in specs for found in _containers(spec)):
        raise ManifestError(f"No workload has a container named {container!r}; set `container` of the project.")
