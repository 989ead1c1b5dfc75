"""Which users of the host the users of a box are: nobody's, so that what leaves the box owns nothing.

Where InfraAudit runs as root, they are 65,536 ids beyond those that Debian and systemd hand out, another part of them
for each project. Else the box's root is the account that runs InfraAudit, and the others are its subordinate ids, as
in rootless Docker.
"""

import os
import pwd
import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path

from infraaudit_domain.errors import EngineUnavailableError
from resources.machine import process

COUNT = 65536
_FIRST, _PARTS = 1_900_000_000, 3000


@dataclass(frozen=True, slots=True)
class Identities:
    """The id of the box's root on the host, and its other ids: the first, and how many."""

    root: int
    first: int
    count: int

    def map_into(self, pid: int) -> None:
        """Give a new user namespace its ids. Raises OSError or ToolError."""
        if os.geteuid() == 0:
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{pid}/{name}").write_text(f"0 {self.root} {self.count}")
            return
        groups = os.getegid()
        for program, own in (("newuidmap", self.root), ("newgidmap", groups)):
            words = [program, str(pid), "0", str(own), "1", "1", str(self.first), str(self.count)]
            process.run(words, timeout=10)


def identities_of(project: str) -> Identities:
    """The ids of a project's box. Raises EngineUnavailableError, which says what is missing."""
    if os.geteuid() == 0:
        first = _FIRST + COUNT * (zlib.crc32(project.encode()) % _PARTS)
        return Identities(first, first, COUNT)
    if shutil.which("newuidmap") is None:
        raise EngineUnavailableError("newuidmap (Debian's package uidmap)")
    name = pwd.getpwuid(os.geteuid()).pw_name
    for line in _lines("/etc/subuid"):
        owner, _, rest = line.partition(":")
        if owner in (name, str(os.geteuid())) and rest.count(":") == 1:
            first, count = map(int, rest.split(":"))
            if count >= COUNT - 1:
                return Identities(os.geteuid(), first, COUNT - 1)
    raise EngineUnavailableError(f"65536 subordinate ids: usermod --add-subuids 100000-165535 --add-subgids … {name}")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
