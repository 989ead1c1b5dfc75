"""Which containers of a commit's manifests run which of its images, where a project has several."""

from collections.abc import Sequence

from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.errors import ManifestError, excerpt
from infraaudit_domain.kubernetes.manifest_policy import Document, containers_of, pod_spec


def images_to_run(documents: Sequence[Document], listed: Sequence[tuple[ImageSource, str]]) -> list[tuple[object, str]]:
    """What the manifests call each image, with what was built: (as it is written, its reference) pairs.

    Refuses to guess: an image that no container runs, and a container that two images are for. Raises ManifestError.
    """
    containers = [found for document in documents for found in containers_of(pod_spec(document) or {})]
    given: dict[object, tuple[str, str]] = {}
    faults: list[str] = []
    for source, reference in listed:
        chosen = [one for one in containers if source.runs(str(one.get("name")), str(one.get("image")))]
        if not chosen and source.used_in != ():
            faults.append(f"no container runs the image {source.name}; set its used_in to a container or a reference")
        for written in {str(one.get("image")) for one in chosen}:
            other, _ = given.setdefault(written, (source.name, reference))
            if other != source.name:
                faults.append(
                    f"{excerpt(written, 120)} would be both image {other} and image {source.name}; set their used_in"
                )
    if faults:
        raise ManifestError("The images do not fit the manifests:\n" + "\n".join(f"  {one}" for one in faults))
    return [(written, reference) for written, (_, reference) in given.items()]


def replaced_image(container: Document, image: str) -> None:
    """Give a container its image; a local one has no registry to pull from, and the kubelet would fail on Always."""
    container["image"] = image
    if "@" not in image and container.get("imagePullPolicy") == "Always":
        container["imagePullPolicy"] = "IfNotPresent"
