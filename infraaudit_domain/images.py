"""Container images as facts. Deliberately absent: building them (resources/engine)."""

from dataclasses import dataclass


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
