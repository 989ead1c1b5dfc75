"""Get a project's box, starting it where there is none, and ask it things.

A box is used under a shared lock on its lease: while anybody holds it, its keeper keeps it. Deliberately absent:
building (resources/engine/builder.py).
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from infraaudit_domain.delivery.builds import BuildLimits
from infraaudit_domain.errors import EngineError, EngineUnavailableError, excerpt
from resources.engine.box.control_group import ControlGroup
from resources.engine.box.identities import identities_of
from resources.engine.box.inside import CONTROL, ENGINE
from resources.engine.box.order import AFRESH, KEPT, LEASE, RUNNING
from resources.engine.box.requirements import program_path, require_box
from resources.engine.client import Engine
from resources.machine.locks import locked, locked_within

_START_SECONDS = 60.0
_ANSWER_SECONDS = 60.0
_IDLE_SECONDS = 900.0
_LINE_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Box:
    """A running box."""

    folder: Path
    place: Path
    group: ControlGroup
    limits: BuildLimits

    def engine(self, host: Engine) -> Engine:
        """The engine in it, driven by the programs that drive the host's, with no login of ours."""
        return replace(
            host, name="docker", host=f"unix://{self.place}/sockets/{ENGINE}", home=str(self.folder / "client")
        )

    def ask(self, what: str, **details: Any) -> dict[str, Any]:
        """One answer. Raises EngineError."""
        with self._asking(what, details) as (answer, _):
            return answer

    @contextmanager
    def layer(self, chain: str) -> Iterator[tuple[int, IO[bytes]]]:
        """A layer's archive: its size, and a stream of so many bytes. Raises EngineError."""
        with self._asking("layer", {"chain": chain}) as (answer, stream):
            yield int(answer["size"]), stream

    @contextmanager
    def _asking(self, what: str, details: dict[str, Any]) -> Iterator[tuple[dict[str, Any], IO[bytes]]]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            try:
                connection.connect(str(self.place / "sockets" / CONTROL))
                connection.sendall(json.dumps({"ask": what, **details}).encode() + b"\n")
                stream = connection.makefile("rb")
                answer = json.loads(stream.readline(_LINE_LIMIT) or b"{}")
            except (OSError, ValueError) as error:
                raise EngineError(f"The box of the builds in {self.folder} does not answer ({error}).") from error
            if not answer.get("good"):
                words = excerpt(str(answer.get("words") or "it said nothing"), 500)
                raise EngineError(f"The box of the builds cannot answer {what}: {words}")
            yield answer, stream


@contextmanager
def opened(folder: Path, project: str, limits: BuildLimits) -> Iterator[Box]:
    """The box of a project, whose state is in ``folder``; it is kept for as long as the block runs.

    Raises NoBoxError where this machine cannot give one, EngineError where it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LEASE).open("a+") as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        with locked(folder / "starting"):
            box = _running(folder, limits) or _start(folder, project, limits)
        yield box


def stop(box: Box) -> None:
    """End a box that came to harm; the next build starts it anew."""
    with locked_within(box.folder / KEPT, 0) as is_gone, suppress(OSError, ValueError):
        if not is_gone:
            os.kill(int((box.folder / "keeper").read_text()), signal.SIGTERM)
    (box.folder / RUNNING).unlink(missing_ok=True)


def discard(box: Box) -> None:
    """End a box, and have the next one begin with an empty disk."""
    (box.folder / AFRESH).touch()
    stop(box)


def remove_boxes(folder: Path, projects: Collection[str]) -> None:
    """Remove the boxes of projects that are not among these, unless they are in use."""
    for box in folder.iterdir() if folder.exists() else ():
        if box.name not in projects:
            with locked_within(box / KEPT, 0) as is_free:
                if is_free:
                    shutil.rmtree(box, ignore_errors=True)


def _running(folder: Path, limits: BuildLimits) -> Box | None:
    try:
        said = json.loads((folder / RUNNING).read_text())
        box = Box(folder, Path(said["place"]), ControlGroup(tuple(map(Path, said["group"]))), limits)
        if said["limits"] != _of_box(limits):
            stop(box)
            return None
        return box if box.ask("state")["answers"] else None
    except (OSError, ValueError, KeyError, EngineError):
        return None


def _of_box(limits: BuildLimits) -> dict[str, Any]:
    """The limits that a running box has; those of the log are each build's."""
    return asdict(replace(limits, log_lines=0))


def _start(folder: Path, project: str, limits: BuildLimits) -> Box:
    try:
        identities = identities_of(project)
    except EngineUnavailableError:
        require_box()
        raise
    _sweep(folder)
    (folder / "client").mkdir(exist_ok=True, mode=0o700)
    place = Path(tempfile.mkdtemp(prefix="infraaudit-box-"))
    (folder / "place").write_text(str(place))
    order = {
        "folder": str(folder),
        "place": str(place),
        "group": f"infraaudit-box-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}",
        "identities": asdict(identities),
        "limits": _of_box(limits),
        "owner": _outermost(),
        "idle_seconds": _IDLE_SECONDS,
    }
    with (folder / "log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", "resources.engine.box.keeper"],
            cwd=folder,
            env={
                "PATH": program_path(),
                "PYTHONPATH": str(Path(__file__).parents[3]),
                "LANG": "C.UTF-8",
            },
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    assert keeper.stdin is not None
    keeper.stdin.write(json.dumps(order).encode() + b"\n")
    keeper.stdin.close()
    (folder / "keeper").write_text(str(keeper.pid))
    return _await(folder, limits, keeper)


def _await(folder: Path, limits: BuildLimits, keeper: "subprocess.Popen[bytes]") -> Box:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and keeper.poll() is None:
        if (box := _running(folder, limits)) is not None:
            return box
        time.sleep(0.05)
    words = (folder / "log").read_text("utf-8", "replace") or "it said nothing"
    keeper.kill()
    keeper.wait()
    # Only now, because the question costs as much as a start.
    require_box()
    raise EngineError(f"The box for builds does not start: {excerpt(words, 800)}")


def _outermost() -> int:
    """The first of the processes of this program that led to this one: the box ends with it."""
    own, found = _program(os.getpid()), os.getpid()
    while (parent := _parent(found)) > 1 and _program(parent) == own:
        found = parent
    return found


def _program(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _sweep(folder: Path) -> None:
    """Remove what a killed keeper left."""
    (folder / RUNNING).unlink(missing_ok=True)
    with locked_within(folder / KEPT, 5) as is_gone, suppress(OSError):
        if not is_gone:
            return
        left = Path((folder / "place").read_text())
        if left.name.startswith("infraaudit-box-"):
            shutil.rmtree(left, ignore_errors=True)


__all__ = ["Box", "EngineUnavailableError", "opened", "stop"]
