"""Bring a local image into a development cluster that runs in containers of its own: kind, minikube, k3d.

Such a cluster is recognised by the name of its context. Deliberately absent: registries
(resources/engine/registry.py), which every other cluster of several nodes needs.
"""

import re
import shutil
from collections.abc import Callable

from resources.machine.process import run

_SECONDS = 300
_BUILT = re.compile(r"image: (infraaudit/[a-z0-9_/-]+:[0-9a-f]{12})$", re.MULTILINE)


def local_images(first: str, manifests: str) -> list[str]:
    """The images of a release that were built here: the first, and what its rendered manifests name besides."""
    return list(dict.fromkeys([first, *_BUILT.findall(manifests)]))


def loading_command(context: str, image: str) -> list[str] | None:
    """The command that loads an image into the cluster of a context; None where the node already sees it."""
    if "@" in image:
        return None
    if context.startswith("kind-"):
        return ["kind", "load", "docker-image", image, "--name", context.removeprefix("kind-")]
    if context.startswith("k3d-"):
        return ["k3d", "image", "import", image, "--cluster", context.removeprefix("k3d-")]
    if context == "minikube":
        return ["minikube", "image", "load", image]
    return None


def load_image(context: str, image: str, on_progress: Callable[[str], None]) -> None:
    """Load an image where the cluster needs it. Raises ToolError where the cluster's own program is missing or
    fails."""
    command = loading_command(context, image)
    if command is None:
        return
    on_progress(f"loading {image} into {context}")
    run([shutil.which(command[0]) or command[0], *command[1:]], timeout=_SECONDS)
