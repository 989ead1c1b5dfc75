"""One deployment at a time for a project and environment, on this machine and on all that reach its target.

Deliberately absent: what is done meanwhile (deploy.py).
"""

import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infraaudit_domain.delivery.deployments import Release
from resources.machine.locks import locked
from resources.targets.target import SharedTarget, Target


@contextmanager
def alone(
    target: Target, release: Release, lock: Path, wait_seconds: float, on_wait: Callable[[str], None]
) -> Iterator[None]:
    """Hold the lock file, and the target's own lock where other machines can reach it.

    The file's content identifies this machine in the target's lock: a deployment that was killed here is taken over at
    once, because the kernel has freed its file lock; one on another machine only when its lock has expired.
    """
    with locked(lock) as stream:
        stream.seek(0)
        holder = stream.read().strip()
        if not holder:
            holder = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
            stream.write(holder)
            stream.flush()
        if not isinstance(target, SharedTarget):
            yield
            return
        with target.exclusive(
            release.project, release.environment, holder=holder, wait_seconds=wait_seconds, on_wait=on_wait
        ):
            yield
