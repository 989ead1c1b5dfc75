"""Label containers and volumes with the process that owns them, and remove those whose process is gone.

A killed process cannot clean up; the next one does it, by the owner's label. Ownership is judged only on the same boot
and in the same PID namespace: an engine may be shared with processes that we cannot see. What is ours is known by its
name, in the engine's own JSON: the label alone may be inherited from an image.
"""

import os
from contextlib import suppress
from pathlib import Path

from infraaudit_domain.errors import EngineError
from resources.engine.client import Engine

OWNER_LABEL = "infraaudit.owner"


def owner_label() -> dict[str, str]:
    """The label of containers and volumes that must not outlive this process."""
    return {OWNER_LABEL: f"{_machine()}.{os.getpid()}.{_started(os.getpid())}"}


def sweep(engine: Engine) -> list[str]:
    """Remove our containers and volumes whose processes on this machine have ended; returns their names.

    One that cannot be removed is left for the next time, and stops nothing.
    """
    removed = []
    for name, labels in engine.our_containers({OWNER_LABEL: ""}).items():
        # What is live belongs to the engine, and may inherit a stale label from its base image.
        if labels.get("infraaudit.kind") != "release" and _is_orphan(labels[OWNER_LABEL]):
            with suppress(EngineError):
                engine.remove_container(name)
                removed.append(name)
    for name, labels in engine.our_volumes({OWNER_LABEL: ""}).items():
        if _is_orphan(labels[OWNER_LABEL]):
            # Another process may be sweeping the same volume.
            with suppress(EngineError):
                engine.remove_volume(name)
                removed.append(name)
    return removed


def _is_orphan(owner: str) -> bool:
    machine, _, rest = owner.partition(".")
    pid, _, started = rest.partition(".")
    if machine != _machine() or not pid.isdecimal():
        return False
    return _started(int(pid)) != started


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]
    return f"{boot}{os.stat('/proc/self/ns/pid').st_ino}"


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty where it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else rest[18]
