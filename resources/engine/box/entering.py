"""How a process of the host becomes a box: group, disk, limits, namespaces, and no right of the host after that."""

import os
import resource
import shutil
import signal
import traceback
from pathlib import Path

from infraaudit_domain.delivery.builds import BuildLimits
from infraaudit_domain.errors import InfraAuditError
from resources.engine.box import inside, kernel, root_folder
from resources.engine.box.control_group import ControlGroup
from resources.engine.box.disk import Disk
from resources.engine.box.order import AFRESH, Order

_NAMESPACES = (
    kernel.NEW_USERS
    | kernel.NEW_MOUNTS
    | kernel.NEW_NETWORK
    | kernel.NEW_PROCESSES
    | kernel.NEW_IPC
    | kernel.NEW_NAMES
    | kernel.NEW_CGROUP
)


def become_box(order: Order, disk: Disk, group: ControlGroup, apart: tuple[int, int], mapped: tuple[int, int]) -> None:
    """Leave the host's namespaces. Runs in the forked child, and never returns."""
    try:
        kernel.die_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        group.enter()
        if disk.is_own_filesystem:
            kernel.unshare(kernel.NEW_MOUNTS)
            kernel.mount("none", "/", None, kernel.RECURSIVE | kernel.PRIVATE)
        is_empty = (Path(order.folder) / AFRESH).exists()
        data = disk.open(Path(order.place) / "disk")
        _limit(order.limits)
        kernel.unshare(_NAMESPACES)
    except (OSError, InfraAuditError) as error:
        os.write(apart[1], b"-" + str(error).encode())
        os._exit(1)
    os.write(apart[1], b"+")
    if os.read(mapped[0], 1) != b"+":
        os._exit(1)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    kernel.die_with_parent()
    first = os.fork()
    if first == 0:
        _run_first(order, data, is_empty)
    os.waitpid(first, 0)
    os._exit(0)


def _run_first(order: Order, data: str, is_empty: bool) -> None:
    try:
        kernel.die_with_parent()
        os.closerange(3, 1024)
        root_folder.enter(data, order.place)
        if is_empty:
            # Where the disk is a folder, only the box's root may remove all of it.
            shutil.rmtree("/data/docker", ignore_errors=True)
        inside.run(order.limits.disk_megabytes // 2)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _limit(limits: BuildLimits) -> None:
    size = limits.file_megabytes << 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
