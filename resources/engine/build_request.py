"""What is asked of a builder: one commit's checkout, and what its image is called.

The checkout is hostile input: what is read of it lies inside it, and is of a limited size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from infraaudit_domain.errors import BuildFailedError, excerpt

_DOCKERFILE_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One commit's build."""

    project: str
    sha: str
    source: str
    """The repository's URL, for the image's labels; a password in it is left out."""
    committed_at: datetime
    """Becomes the image's created label, so that the same commit gets the same labels."""
    checkout: Path
    dockerfile: str
    context: str
    build_args: Mapping[str, str]
    options: tuple[str, ...] = ()
    """Further words for the build program."""
    tag: str = ""
    """What the engine that builds calls the image; empty for the reference."""
    name: str = ""
    """Of a further image of the project."""
    target: str = ""
    """The stage of the Dockerfile; empty is the last."""
    log_lines: int = 20_000
    """How much of the log is passed on; its end is always kept for the error."""

    @property
    def reference(self) -> str:
        return image_reference(self.project, self.sha, self.name)


def image_reference(project: str, sha: str, name: str = "") -> str:
    """What the engine calls an image of a commit; ``name`` is that of a further one."""
    return f"infraaudit/{project}{f'/{name}' if name else ''}:{sha[:12]}"


def image_labels(request: BuildRequest) -> dict[str, str]:
    """The image's OCI labels, and ours."""
    return {
        "org.opencontainers.image.title": request.project,
        "org.opencontainers.image.revision": request.sha,
        "org.opencontainers.image.source": _without_password(request.source),
        "org.opencontainers.image.created": request.committed_at.isoformat(timespec="seconds"),
        "infraaudit.project": request.project,
    }


def read_dockerfile(request: BuildRequest) -> str:
    """The text of the Dockerfile. Raises BuildFailedError where there is none of a usable size."""
    dockerfile = inside(request.checkout, request.dockerfile, "Dockerfile")
    if not dockerfile.is_file() or dockerfile.stat().st_size > _DOCKERFILE_LIMIT:
        raise BuildFailedError(
            f"{request.sha[:12]} has no usable {request.dockerfile}: add one, or set paths.dockerfile of the project."
        )
    return dockerfile.read_text("utf-8", "replace")


def inside(checkout: Path, path: str, what: str) -> Path:
    """The real path of a file of the checkout. Raises BuildFailedError for one that leads out of it."""
    root = checkout.resolve()
    found = (root / path).resolve()
    if not found.is_relative_to(root):
        raise BuildFailedError(f"The {what} {excerpt(path, 200)} leads out of the repository; use a path inside it.")
    return found


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else url
    except ValueError:
        return ""
