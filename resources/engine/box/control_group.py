"""The control group of a box: its limits of memory, processes and processors, and how often each was met.

Version 1 and 2 of the kernel's interface. Deliberately absent: limits of input and output, which need the disk's
number.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infraaudit_domain.delivery.builds import BuildLimits
from infraaudit_domain.errors import EngineUnavailableError

_ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A group by its folders: one in version 2, one for each controller in version 1."""

    folders: tuple[Path, ...]

    def enter(self) -> None:
        """Move this process into the group; its children follow."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def met(self) -> dict[str, int]:
        """How often the group was stopped at its limit of memory, and of processes."""
        count = {"memory": 0, "processes": 0}
        for folder in self.folders:
            count["memory"] += _count(folder / "memory.events", "oom_kill")
            count["memory"] += _count(folder / "memory.oom_control", "oom_kill")
            count["processes"] += _count(folder / "pids.events", "max")
        return count

    def remove(self) -> None:
        """Remove the group, which must be empty; what is not is found again by its name."""
        for folder in self.folders:
            with suppress(OSError):
                folder.rmdir()


def open_group(name: str, limits: BuildLimits, root: Path = _ROOT) -> ControlGroup:
    """Make a group, or find that of the name, and set its limits. Raises EngineUnavailableError."""
    try:
        parents = _parents(root)
        group = ControlGroup(tuple(dict.fromkeys(parent / name for parent in parents)))
        for folder in group.folders:
            folder.mkdir(exist_ok=True)
        _limit(group, limits)
    except OSError as error:
        raise EngineUnavailableError(
            f"a control group for limits of memory and processes ({error.strerror}: {error.filename}); "
            "as a user, start InfraAudit by `systemd-run --user --scope`"
        ) from error
    return group


def check_groups(limits: BuildLimits) -> None:
    """Make a group and remove it. Raises EngineUnavailableError."""
    open_group(f"infraaudit-check-{os.getpid()}", limits).remove()


def _parents(root: Path) -> list[Path]:
    if not (root / "cgroup.controllers").exists():
        return [root / controller for controller in ("memory", "pids", "cpu")]
    parent = root if os.geteuid() == 0 else root / _own_path().parent
    with suppress(OSError):
        (parent / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    return [parent]


def _own_path() -> Path:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return Path(next(line[3:] for line in lines if line.startswith("0::")).lstrip("/"))


def _limit(group: ControlGroup, limits: BuildLimits) -> None:
    memory = limits.memory_megabytes << 20
    quota = int(_PERIOD * limits.cpus) if limits.cpus else None
    if len(group.folders) == 1:
        (only,) = group.folders
        (only / "memory.max").write_text(str(memory))
        _if_there(only / "memory.swap.max", "0")
        (only / "pids.max").write_text(str(limits.processes))
        if quota:
            (only / "cpu.max").write_text(f"{quota} {_PERIOD}")
        return
    of_memory, of_processes, of_cpu = group.folders
    # Both ways around: memory may be lowered or raised, and may never be above memory and swap.
    for _ in range(2):
        _if_there(of_memory / "memory.limit_in_bytes", str(memory))
        _if_there(of_memory / "memory.memsw.limit_in_bytes", str(memory))
    (of_memory / "memory.limit_in_bytes").write_text(str(memory))
    (of_processes / "pids.max").write_text(str(limits.processes))
    (of_cpu / "cpu.cfs_quota_us").write_text(str(quota or -1))


def _if_there(file: Path, value: str) -> None:
    with suppress(OSError):
        file.write_text(value)


def _count(file: Path, name: str) -> int:
    try:
        words = file.read_text().split()
    except OSError:
        return 0
    return next((int(value) for key, value in zip(words[::2], words[1::2], strict=False) if key == name), 0)
