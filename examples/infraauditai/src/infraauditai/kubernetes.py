"""Rules for Kubernetes manifests."""

from collections.abc import Iterator
from typing import Any

import yaml

from infraauditai.findings import Finding, UnreadableInput

MAX_ALIASES = 20


def audit_manifest(text: str) -> list[Finding]:
    """The findings in every document of a manifest."""
    if sum(isinstance(event, yaml.AliasEvent) for event in _events(text)) > MAX_ALIASES:
        raise UnreadableInput(f"more than {MAX_ALIASES} YAML aliases")
    documents = [document for document in yaml.safe_load_all(text) if document is not None]
    if not documents or not all(isinstance(document, dict) and document.get("kind") for document in documents):
        raise UnreadableInput("a manifest's documents are mappings with a kind")
    return [finding for document in documents for finding in _audit_document(document)]


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise UnreadableInput(f"no YAML: {error}") from error


def _audit_document(document: dict[str, Any]) -> Iterator[Finding]:
    name = f"{document['kind']}/{_mapping(document, 'metadata').get('name', '?')}"
    pod = _pod_spec(document)
    if pod is None:
        return
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield Finding("K8S_HOST_NAMESPACE", "high", name, f"{field} shares the node's namespace with the pod")
    for container in [item for item in pod.get("containers") or [] if isinstance(item, dict)]:
        yield from _audit_container(f"{name}/{container.get('name', '?')}", container, pod)


def _audit_container(name: str, container: dict[str, Any], pod: dict[str, Any]) -> Iterator[Finding]:
    context = _mapping(pod, "securityContext") | _mapping(container, "securityContext")
    if context.get("privileged"):
        yield Finding("K8S_PRIVILEGED", "critical", name, "a privileged container owns its node")
    if not context.get("runAsNonRoot"):
        yield Finding("K8S_MAY_BE_ROOT", "medium", name, "set runAsNonRoot: true")
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    if "@sha256:" not in image and tag in ("", "latest"):
        yield Finding("K8S_MOVING_IMAGE", "medium", name, f"{image or 'the image'} can change under the same name")
    if "memory" not in _mapping(_mapping(container, "resources"), "limits"):
        yield Finding("K8S_NO_MEMORY_LIMIT", "low", name, "one container can take all memory of its node")


def _pod_spec(document: dict[str, Any]) -> dict[str, Any] | None:
    spec = _mapping(document, "spec")
    if document["kind"] == "Pod":
        return spec
    if document["kind"] == "CronJob":
        spec = _mapping(_mapping(spec, "jobTemplate"), "spec")
    return _mapping(_mapping(spec, "template"), "spec") or None


def _mapping(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}
