"""Turn a commit's manifests into a release's: checked, ordered, labelled, with the image just built.

Everything the pipeline does not own stays as its author wrote it. Works on parsed documents (dicts as YAML gives
them); deliberately absent: reading and writing YAML (resources/manifests/files.py), talking to a cluster.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from infraaudit_domain.errors import ManifestError, excerpt
from infraaudit_domain.kubernetes.manifest_policy import (
    Document,
    ManifestPolicy,
    containers_of,
    pod_spec,
    pod_specs,
    refusals,
)
from infraaudit_domain.kubernetes.phases import rank
from infraaudit_domain.kubernetes.references import chooses, selectors

__all__ = ["WORKLOADS", "Document", "identity", "pod_spec", "render_manifests"]

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_OF_NO_NAMESPACE = frozenset({"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"})
_RUNS_ON = WORKLOADS | {"CronJob"}
"""What makes pods again and again; a Job's template is labelled by nobody, or it would run again for a label alone."""
_GETS_THE_IMAGE = _RUNS_ON | {"Job"}
_SAFE = ManifestPolicy()
_BUILT_HERE = re.compile(r"(?:docker\.io/|localhost/)?infraaudit/([a-z0-9_-]+)(?:/[a-z0-9_-]+)?:[0-9a-f]{12}")
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


class Listed(Protocol):
    """One of several images, as the manifests are asked for it (infraaudit_domain/delivery/image_sources.py)."""

    @property
    def name(self) -> str: ...
    @property
    def used_in(self) -> tuple[str, ...] | None: ...
    def runs(self, container: str, reference: str) -> bool: ...


def render_manifests(
    documents: Sequence[tuple[str, Document]],
    *,
    project: str,
    sha: str,
    environment: str,
    namespace: str,
    image: str,
    container: str | None = None,
    policy: ManifestPolicy = _SAFE,
    uses: frozenset[str] = frozenset(),
    listed: Sequence[tuple[Listed, str]] = (),
) -> list[Document]:
    """The documents of a release, in the order in which they are applied.

    ``documents`` are (path, document) pairs. The built image goes into the chosen container, and wherever the image that
    it was written with is named again: an init container, another workload, a CronJob. Raises ManifestError that lists
    every refusal with its path. ``uses`` are the objects (``Kind/name``) that they may refer to besides their own;
    ``listed`` are all images of a project that lists them, with what each is called, in place of ``image``.
    """
    faults = list(refusals(documents, namespace, policy, uses))
    if not any(isinstance(document, dict) and str(document.get("kind")) in WORKLOADS for _, document in documents):
        faults.append("no Deployment, StatefulSet or DaemonSet is among the manifests, so nothing would run the image")
    if faults:
        raise ManifestError("The manifests are refused:\n" + "\n".join(f"  {fault}" for fault in faults))
    parsed = [document for _, document in documents]
    containers = [found for document in parsed for found in containers_of(pod_spec(document) or {})]
    if listed:
        built = _images_to_run(containers, listed)
    else:
        workloads = [document for document in parsed if document["kind"] in WORKLOADS]
        names = _names_of_the_built_image(workloads, container)
        built = {_place(found): image for found in containers if found.get("image") in names}
    labels = {"app.kubernetes.io/managed-by": "infraaudit", "infraaudit/project": project}
    annotations = {"infraaudit/commit": sha, "infraaudit/environment": environment}
    rendered = [_render(document, namespace, labels, annotations) for _, document in documents]
    pods = [_pod_metadata(document)["labels"] for document in rendered if document["kind"] in _RUNS_ON]
    for document in rendered:
        if document["kind"] in _GETS_THE_IMAGE:
            _replace_images(pod_spec(document) or {}, built)
        _choose_own_pods(document, project, pods)
    if (
        foreign := []
        if "otherImages" in policy.allow
        else list(_foreign_images(rendered, project, list(built.values())))
    ):
        raise ManifestError("The manifests are refused:\n" + "\n".join(f"  {fault}" for fault in foreign))
    return sorted(rendered, key=lambda document: rank(document["kind"]))


def identity(document: Mapping[str, object]) -> str:
    """``Kind/name`` of a document, for messages."""
    metadata = document.get("metadata")
    return f"{document.get('kind')}/{metadata.get('name') if isinstance(metadata, dict) else None}"


def _names_of_the_built_image(workloads: Sequence[Document], container: str | None) -> list[object]:
    """The images that stand for the built one. Refuses to guess: a database must never be given the application's."""
    chosen = [found for document in workloads for found in _chosen(pod_spec(document) or {}, container)]
    if not chosen:
        raise ManifestError(f"No workload has a container named {container!r}; set `container` of the project.")
    images = [found.get("image") for found in chosen]
    if container is None and any(image != images[0] for image in images):
        named = ", ".join(f"{found.get('name')} ({found.get('image')})" for found in chosen)
        raise ManifestError(
            f"The workloads run different images: {named}. Set `container` of the project to the one that is built."
        )
    return images


def _chosen(spec: Mapping[str, object], container: str | None) -> list[Document]:
    containers = containers_of({"containers": spec.get("containers")})
    return [found for found in containers if found.get("name") == container] if container else containers[:1]


def _render(document: Document, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Document:
    rendered = copy.deepcopy(document)
    metadata = rendered["metadata"]
    if rendered["kind"] not in _OF_NO_NAMESPACE:
        metadata["namespace"] = namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    if rendered["kind"] in _RUNS_ON:
        pod = _pod_metadata(rendered)
        pod["labels"] = {**(pod.get("labels") or {}), "infraaudit/project": labels["infraaudit/project"]}
    if rendered["kind"] in WORKLOADS:
        pod["annotations"] = {**(pod.get("annotations") or {}), **annotations}
    return rendered


def _pod_metadata(workload: Document) -> Document:
    """The metadata of the pods that an object makes, which is made where it is missing."""
    spec = workload["spec"]
    template: Document = (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]
    if not isinstance(template.get("metadata"), dict):
        template["metadata"] = {}
    found: Document = template["metadata"]
    return found


def _choose_own_pods(document: Document, project: str, pods: Sequence[Document]) -> None:
    """Let a Service, a NetworkPolicy or a budget choose pods of the project alone, where it chooses workloads' pods.

    Another project in the namespace may have pods with the same labels.
    """
    for place, wanted in selectors(document):
        if any(chooses(wanted, labels) for labels in pods):
            selector = document["spec"][place.rpartition(".")[2]]
            if document["kind"] != "Service" and not isinstance(selector.get("matchLabels"), dict):
                selector["matchLabels"] = {}
            chosen = selector if document["kind"] == "Service" else selector["matchLabels"]
            chosen["infraaudit/project"] = project


def _foreign_images(documents: Sequence[Document], project: str, own: Sequence[str]) -> Iterator[str]:
    """What runs an image that was built here for another project, or that is named by its id and could be one."""
    for document in documents:
        for where, _, spec in pod_specs(document):
            for found in containers_of(spec):
                name = str(found.get("image"))
                built = _BUILT_HERE.fullmatch(name)
                if name not in own and (_IMAGE_ID.fullmatch(name) or (built and built[1] != project)):
                    yield (
                        f"{identity(document)}: {where}: image {excerpt(name, 120)} may be another project's (to allow it: "
                        "manifests.allow: [otherImages] in the gate policy)"
                    )


_Place = tuple[str, str]
"""A container by its name, and the image that it is written with."""


def _place(container: Mapping[str, object]) -> _Place:
    return str(container.get("name")), str(container.get("image"))


def _replace_images(spec: Document, built: Mapping[_Place, str]) -> None:
    for found in containers_of(spec):
        if (image := built.get(_place(found))) is not None:
            _give_image(found, image)


def _images_to_run(containers: Sequence[Document], listed: Sequence[tuple[Listed, str]]) -> dict[_Place, str]:
    """What was built for each container; another container with the same written image keeps it, unless it is chosen.

    Refuses to guess: an image that no container runs, and a container that two images are for. Raises ManifestError.
    """
    given: dict[_Place, tuple[str, str]] = {}
    faults: list[str] = []
    for source, reference in listed:
        chosen = {_place(one): None for one in containers if source.runs(*_place(one))}
        if not chosen and source.used_in != ():
            faults.append(f"no container runs the image {source.name}; set its used_in to a container or a reference")
        for name, written in chosen:
            other, _ = given.setdefault((name, written), (source.name, reference))
            if other != source.name:
                faults.append(
                    f"container {excerpt(name, 80)} ({excerpt(written, 120)}) would be both image {other} "
                    f"and image {source.name}; set their used_in"
                )
    if faults:
        raise ManifestError("The images do not fit the manifests:\n" + "\n".join(f"  {one}" for one in faults))
    return {place: reference for place, (_, reference) in given.items()}


def _give_image(container: Document, image: str) -> None:
    """Give a container its image; a local one has no registry to pull from, and the kubelet would fail on Always."""
    container["image"] = image
    if "@" not in image and container.get("imagePullPolicy") == "Always":
        container["imagePullPolicy"] = "IfNotPresent"
