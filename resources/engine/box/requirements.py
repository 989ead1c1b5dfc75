"""What a machine needs to give a box for builds, what it lacks, and what its box gives.

Asked without starting anything: files, programs, and one process that leaves its namespaces. Deliberately absent:
installing what is missing.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infraaudit_domain.delivery.builds import BuildLimits
from infraaudit_domain.errors import ConfigurationError, EngineUnavailableError, InfraAuditError
from resources.engine.box import kernel
from resources.engine.box.control_group import check_groups
from resources.engine.box.identities import identities_of
from resources.machine import process

_PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io (or docker-cli)",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "nft": "nftables",
    "slirp4netns": "slirp4netns",
}
_OF_ROOT = {"mkfs.ext4": "e2fsprogs", "mount": "mount"}
_TRY = "import sys; from resources.engine.box import kernel; kernel.unshare(int(sys.argv[1]))"


class NoBoxError(ConfigurationError):
    """This machine cannot give a box, and the host's engine is not allowed."""


@dataclass(frozen=True, slots=True)
class WhatABoxGives:
    """In words, for `infraaudit doctor`."""

    users: str
    disk: str

    def __str__(self) -> str:
        network = "own network (slirp4netns, nftables), limits of memory, processes and processors"
        return f"{self.users}, {network}, {self.disk}"


def require_box() -> None:
    """Raises NoBoxError, which lists what is missing and how builds run without a box."""
    if lacking := missing():
        raise NoBoxError(
            f"This machine cannot give builds a box; it lacks {'; '.join(lacking)}. Provide that, or run builds on the "
            "host's engine with its root and its network, by build_isolation: none in the project's entry (for all "
            "projects: INFRAAUDIT_BUILD_ISOLATION=none)."
        )


def program_path() -> str:
    """Where the programs of a box are looked for; a user's own path lacks those of administrators."""
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def missing() -> list[str]:
    """Everything that is missing for a box."""
    return list(_missing())


def gives() -> WhatABoxGives:
    """What a box gives here, where nothing is missing."""
    if os.geteuid() == 0:
        first = identities_of("").first
        return WhatABoxGives(f"own users (such as {first} for its root)", "a disk of limited size")
    return WhatABoxGives(
        "own users (its root is the account of InfraAudit)",
        "a folder that is watched every 2 s instead of a disk of limited size (that takes root)",
    )


def _missing() -> Iterator[str]:
    if not sys.platform.startswith("linux") or os.uname().machine not in kernel.MACHINES:
        yield f"Linux on {' or '.join(kernel.MACHINES)}"
        return
    wanted = _PROGRAMS | (_OF_ROOT if os.geteuid() == 0 else {})
    for program, package in wanted.items():
        if shutil.which(program, path=program_path()) is None:
            yield f"{program} (Debian's package {package})"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        yield "access to /dev/net/tun"
    if os.geteuid() == 0 and not Path("/dev/loop-control").exists():
        yield "loop devices (/dev/loop-control), for a disk of limited size"
    try:
        identities_of("")
    except EngineUnavailableError as error:
        yield str(error)
    try:
        check_groups(BuildLimits())
    except EngineUnavailableError as error:
        yield str(error)
    if not _may_leave():
        yield "the right to make user namespaces (in a container: none; see kernel.unprivileged_userns_clone)"


def _may_leave() -> bool:
    flags = kernel.NEW_USERS | kernel.NEW_MOUNTS | kernel.NEW_NETWORK | kernel.NEW_PROCESSES
    words = [sys.executable, "-P", "-s", "-c", _TRY, str(flags)]
    environment = {"PATH": program_path(), "PYTHONPATH": str(Path(__file__).parents[3])}
    try:
        return process.run(words, timeout=10, env=environment, check=False).returncode == 0
    except InfraAuditError:
        return False
