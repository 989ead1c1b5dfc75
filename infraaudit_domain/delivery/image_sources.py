"""From what a project's images are built, and which containers of its manifests run each.

Deliberately absent: building them (infraaudit/images.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ImageSource:
    """One image of a project."""

    name: str
    """Empty for the only image of a project that lists none."""
    dockerfile: str
    context: str = "."
    target: str = ""
    """The stage of the Dockerfile that is built; empty is the last."""
    build_args: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Besides those of the project."""
    used_in: tuple[str, ...] | None = None
    """Names of containers, or image references without a tag, in the manifests; None is the image's own name."""

    def runs(self, container: str, reference: str) -> bool:
        """Whether a container of the manifests is to run this image."""
        repository = reference.partition("@")[0]
        head, slash, last = repository.rpartition("/")
        repository = f"{head}{slash}{last.partition(':')[0]}"
        if self.used_in is None:
            return self.name in (container, repository.rpartition("/")[2])
        return container in self.used_in or repository in self.used_in or reference in self.used_in
