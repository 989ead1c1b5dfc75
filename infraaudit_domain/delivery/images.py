"""Container images as facts. Deliberately absent: building them (resources/engine)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from posixpath import normpath

_PLAIN_PATH = re.compile(r"/[\w./-]+")
_REPORTS = "/reports"
"""Where the report of a test run is written."""
_OF_THE_KERNEL = ("/proc", "/sys", "/dev")
_MOST_VOLUMES = 32


@dataclass(frozen=True, slots=True)
class Image:
    """An image that a commit was built into."""

    reference: str
    """What the engine knows it by: ``infraaudit/<project>:<first 12 of the SHA>``."""
    image_id: str
    """The engine's ``sha256:…`` of the image's configuration."""
    size_bytes: int
    build_seconds: float
    inputs_digest: str
    """What the build read: context, Dockerfile, build arguments, base image. Equal inputs are built once."""
    digest: str | None = None
    """``repository@sha256:…`` as the registry reports it; None where nothing was pushed."""
    reused_from: str | None = None
    """The commit whose build this one shares."""


def volume_fault(volumes: Iterable[str]) -> str:
    """Why no container for tests can be made of an image with these volumes; empty where one can."""
    given = list(volumes)
    if len(given) > _MOST_VOLUMES:
        return f"it declares {len(given)} volumes; the most are {_MOST_VOLUMES}."
    for volume in given:
        shown, path = ascii(volume[:100]), normpath(volume)
        if not _PLAIN_PATH.fullmatch(volume) or path in ("/", "//") or ".." in volume.split("/"):
            return f"it declares a volume of an odd name, {shown}; name a folder by its absolute path."
        if path.startswith(f"{_REPORTS}/"):
            return f"it declares the volume {shown}, and {_REPORTS} is where the tests write their report."
        if any(path == kernel or path.startswith(f"{kernel}/") for kernel in _OF_THE_KERNEL):
            return f"it declares the volume {shown}, which belongs to the kernel."
    return ""
