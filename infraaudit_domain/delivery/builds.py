"""How a project's images are built: how isolated, what the network reaches, and how much a build may use.

Settings of the pipeline, never of a commit. Deliberately absent: the box itself (resources/engine/box).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

_HOST_AND_PORT = re.compile(r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):(?P<port>[0-9]{1,5})")


class Isolation(StrEnum):
    """Where a build runs."""

    BOX = "box"
    """In a box of its own; refused where the machine cannot give one."""
    NONE = "none"
    """On the host's engine, which gives a RUN the host's root (of a container) and the host's network."""


class Egress(StrEnum):
    """What a boxed build reaches over the network, unless a list of addresses says it."""

    PUBLIC = "public"
    """Public addresses, and none of the host's own."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """What the builds of one project may use together; they share one box."""

    memory_megabytes: int = 2048
    processes: int = 1000
    """Processes and threads, those of the box's own engine (about 60) included."""
    cpus: float | None = None
    """Processors; None is all of them."""
    disk_megabytes: int = 8192
    """Size of the image store and build cache."""
    file_megabytes: int = 1024
    """Size of one file, and of a layer that is loaded."""
    log_lines: int = 20_000


@dataclass(frozen=True, slots=True)
class BuildRules:
    """How a project's images are built."""

    isolation: Isolation | None = None
    """None is what the installation says."""
    egress: Egress | tuple[str, ...] = Egress.PUBLIC
    """``host:port`` each, where it is a list."""
    limits: BuildLimits = field(default_factory=BuildLimits)
    base_images: tuple[str, ...] = ()
    """Images of the host's engine that a build may start from, besides those that a build argument names."""
    secrets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Files of this machine that ``RUN --mount=type=secret`` reads, by id."""


def host_and_port(text: str) -> tuple[str, int]:
    """The two parts of ``host:port``. Raises ValueError."""
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValueError(f"{text[:100]!r} is not host:port, such as pypi.org:443")
    return found["host"].lower(), int(found["port"])
