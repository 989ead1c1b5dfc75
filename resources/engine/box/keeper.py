"""The process that keeps one box: makes its namespaces, network and disk, and ends it.

It ends when nobody has built for a while, when the program that it was started by has ended and no build runs, or when it is
killed; the box dies with it (each process asks the kernel for that). Started by resources/engine/box/client.py with a
line of JSON on its standard input and an environment of its own.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infraaudit_domain.delivery.builds import BuildLimits
from infraaudit_domain.errors import EngineUnavailableError, InfraAuditError
from resources.engine.box.control_group import ControlGroup, open_group
from resources.engine.box.disk import Disk, used_megabytes
from resources.engine.box.entering import become_box
from resources.engine.box.identities import Identities
from resources.engine.box.order import AFRESH, KEPT, LEASE, RUNNING, Order
from resources.machine import process
from resources.machine.atomic_file import write_atomically
from resources.machine.locks import locked_within

_PREDECESSOR_SECONDS = 30.0
"""A box that was told to end may have a gigabyte to give back first."""
_TAP_SECONDS = 10.0
_LOOK_SECONDS = 2.0


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    words = json.loads(sys.stdin.readline())
    order = Order(
        **{**words, "identities": Identities(**words["identities"]), "limits": BuildLimits(**words["limits"])}
    )
    folder = Path(order.folder)
    with locked_within(folder / KEPT, _PREDECESSOR_SECONDS) as held:
        if not held:
            sys.exit("another process keeps this box")
        with ExitStack() as stack:
            try:
                box = _Box(order, stack)
                box.start()
                box.keep()
            except (InfraAuditError, OSError) as error:
                sys.exit(str(error))


class _Box:
    def __init__(self, order: Order, stack: ExitStack) -> None:
        self._order, self._stack = order, stack
        self._disk = Disk(Path(order.folder), order.limits.disk_megabytes, order.identities)
        self._pid = 0

    def start(self) -> None:
        """Make the box, give it its ids and its network, and let it run."""
        self._stack.callback(shutil.rmtree, self._order.place, ignore_errors=True)
        group = open_group(self._order.group, self._order.limits)
        self._stack.callback(_remove, group)
        _prepare(Path(self._order.place), self._order.identities)
        afresh = Path(self._order.folder) / AFRESH
        if afresh.exists():
            self._disk.discard()
        apart, mapped = os.pipe(), os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            become_box(self._order, self._disk, group, apart, mapped)
        self._stack.callback(_kill, self._pid)
        os.close(apart[1])
        if os.read(apart[0], 1) != b"+":
            words = os.read(apart[0], 2000).decode("utf-8", "replace")
            raise EngineUnavailableError(words or "the box ended before it began")
        self._order.identities.map_into(self._pid)
        self._connect()
        os.write(mapped[1], b"+")
        counted = [str(folder) for folder in group.folders]
        running = {"place": self._order.place, "group": counted, "limits": asdict(self._order.limits)}
        afresh.unlink(missing_ok=True)
        write_atomically(Path(self._order.folder) / RUNNING, json.dumps(running).encode())

    def keep(self) -> None:
        """Wait until the box is no longer wanted."""
        folder = Path(self._order.folder)
        number = _number(folder)
        watched = [os.pidfd_open(self._pid)]
        owner = _pidfd(self._order.owner)
        lease = self._stack.enter_context((folder / LEASE).open("a+"))
        last_use = time.monotonic()
        room = None if self._disk.is_own_filesystem else self._order.limits.disk_megabytes + used_megabytes(str(folder))
        while not select.select(watched, [], [], _LOOK_SECONDS)[0]:
            if _is_free(lease):
                is_orphan = owner is not None and bool(select.select([owner], [], [], 0)[0])
                if is_orphan or time.monotonic() - last_use > self._order.idle_seconds:
                    return
            else:
                last_use = time.monotonic()
            if room is not None and used_megabytes(str(folder)) > room:
                return
            if _number(folder) != number:
                return

    def _connect(self) -> None:
        """Give the box a network that goes through a process of ours, not through the host's interfaces."""
        ready, said = os.pipe()
        words = ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback"]
        # Its sandbox begins by becoming root.
        words += ["--enable-sandbox"] if os.geteuid() == 0 else []
        words += [f"--ready-fd={said}", f"--userns-path=/proc/{self._pid}/ns/user", "--netns-type=path"]
        words += [f"/proc/{self._pid}/ns/net", "tap0"]
        log = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        child = subprocess.Popen(
            process.dying_with_us(words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[said],
            start_new_session=True,
        )
        self._stack.callback(process.kill_group, child)
        os.close(said)
        if not select.select([ready], [], [], _TAP_SECONDS)[0] or os.read(ready, 1) != b"1":
            log.seek(0)
            raise EngineUnavailableError(f"slirp4netns gave no network: {log.read(500).decode('utf-8', 'replace')}")
        os.close(ready)


def _prepare(place: Path, identities: Identities) -> None:
    for folder in (place, *(place / name for name in ("root", "disk", "sockets"))):
        folder.mkdir(exist_ok=True, mode=0o700)
        os.chown(folder, identities.root, identities.root)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _remove(group: ControlGroup) -> None:
    end = time.monotonic() + 5
    while any(folder.exists() for folder in group.folders) and time.monotonic() < end:
        group.remove()
        time.sleep(0.05)


def _is_free(lease: Any) -> bool:
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(lease, fcntl.LOCK_UN)
    return True


def _number(folder: Path) -> int:
    """Which folder it is; 0 where it is gone."""
    try:
        return folder.stat().st_ino
    except OSError:
        return 0


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid) if pid > 1 else None
    except OSError:
        return None


if __name__ == "__main__":
    main()
