"""The container that tests run in, isolated from everything of ours.

No network, a read-only root, no capabilities, no new privileges, a user that owns nothing, limits on memory, processes,
time and every file written. Only one file comes out, in a volume whose folder is root's: the tests can write it and
create no other (Podman gives them the folder; each file is limited).
Deliberately absent: what runs in it, and what its results mean (test_runner.py, command_runner.py).
"""

import posixpath
import re
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from posixpath import normpath
from time import monotonic
from typing import Any

from infraaudit_domain.delivery.images import volume_fault
from infraaudit_domain.delivery.test_runs import TestCase, TestRun
from infraaudit_domain.errors import EngineError, TestRunError, ToolTimeoutError, excerpt
from resources.engine import Engine
from resources.engine.client import ImageFacts, label_words
from resources.engine.junit_report import REPORT_LIMIT, empty_report, only_file, read_report
from resources.engine.leftovers import owner_label, sweep
from resources.engine.limits import Limits
from resources.engine.scratch_copy import COPIED_MEGABYTES
from resources.machine.process import Completed

REPORT = "/reports/junit.xml"
_USER = 10001
_OUTPUT_LINES = 200
# A file where a folder has to be, or the reverse.
_THE_IMAGES_FAULT = re.compile(
    r"not a directory|be a directory|chdir to cwd|outside of rootfs|is a directory", re.IGNORECASE
)
_KILLED = 137


@dataclass
class Sandbox:
    """Makes and runs containers of one image."""

    engine: Engine
    image_id: str
    facts: ImageFacts
    limits: Limits
    on_line: Callable[[str], None]
    output: deque[str] = field(default_factory=lambda: deque(maxlen=_OUTPUT_LINES))
    report: str = REPORT
    """Where in the container the report is, in a folder of its own."""
    temporary: str = "rw"
    """How /tmp may be used; with exec, programs that are built there may be run, too."""

    def say(self, line: str) -> None:
        self.output.append(excerpt(line, 1000))
        self.on_line(self.output[-1])

    @contextmanager
    def container(self, words: Sequence[str], folder: str = "") -> Iterator[str]:
        """A container that is ready to start, with an empty report; removed at the end, with its volume.

        ``folder`` is the one that it gets a copy of.
        """
        name = f"infraaudit-tests-{uuid.uuid4().hex[:16]}"
        labels = label_words(owner_label() | {"infraaudit.kind": "tests"})
        try:
            self.engine.run("volume", "create", *labels, name)
            self.engine.run("create", "--name", name, *labels, *self._options(name, folder), *words)
            done = self.engine.run(
                "cp",
                "-",
                f"{name}:{posixpath.dirname(self.report)}",
                stdin=empty_report(posixpath.basename(self.report), _USER),
                check=False,
            )
            self._expect(done, "cp")
            yield name
        finally:
            # What cannot be removed now is swept by the next run; the first error is the one that matters.
            with suppress(EngineError):
                self.engine.remove_container(name)
                self.engine.remove_volume(name)

    def _options(self, volume: str, folder: str) -> list[str]:
        limits = self.limits
        size = limits.scratch_megabytes
        if fault := volume_fault(self.facts.volumes):
            raise TestRunError(f"The image cannot be tested: {fault}")
        reports = posixpath.dirname(self.report)
        folders = {*map(normpath, self.facts.volumes)} - {"/tmp", reports, folder}
        scratch = [f"--tmpfs={path}:rw,nosuid,nodev,size={size}m,mode=1777" for path in sorted(folders)]
        scratch.append(f"--tmpfs=/tmp:{self.temporary},nosuid,nodev,size={size}m,mode=1777")
        if folder:
            # What an application brings may be run: native modules, an environment of its own.
            room = size + COPIED_MEGABYTES
            scratch.append(f"--tmpfs={folder}:rw,exec,nosuid,nodev,size={room}m,uid={_USER},gid={_USER}")
        return [
            "--network=none",
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            f"--user={_USER}:{_USER}",
            f"--memory={limits.memory_megabytes}m",
            f"--memory-swap={limits.memory_megabytes}m",
            f"--pids-limit={limits.processes}",
            f"--ulimit=fsize={size << 20}:{size << 20}",
            "--ulimit=core=0:0",
            # Set explicitly: by default Podman asks for more than a host without CAP_SYS_RESOURCE can give.
            "--ulimit=nofile=4096:4096",
            "--ulimit=nproc=16384:16384",
            "--shm-size=16m",
            # The engine keeps nothing of what the tests print: it would fill the host's disk.
            "--log-driver=none",
            "--no-healthcheck",
            "--restart=no",
            *scratch,
            f"--volume={volume}:{reports}:nocopy",
            "--env=HOME=/tmp",
            "--env=PYTHONDONTWRITEBYTECODE=1",
            "--env=PYTHONUNBUFFERED=1",
            "--env=PYTEST_ADDOPTS=",
        ]

    def start(self, name: str, archive: bytes | None = None) -> bool:
        """Run a container until it ends. False where the image has no such program."""
        seconds = self.limits.seconds
        try:
            words = ("start", "--attach", "--interactive", name)
            done = self.engine.run(
                *words, timeout=seconds, check=False, stdin=archive or b"", on_line=self.say, max_output=65536
            )
        except EngineError as error:
            if isinstance(error.__cause__, ToolTimeoutError):
                raise TestRunError(f"The tests had no end after {seconds:g} s and were stopped.") from error
            raise
        if self.state(name).get("Status") == "created":
            if re.search(r"executable file not found|no such file or directory", done.error_text):
                return False
            self._expect(done, "start")
        return True

    def _expect(self, done: Completed, action: str) -> None:
        """Raise what a failed command means: the image's fault, or the engine's."""
        if done.returncode != 0 and _THE_IMAGES_FAULT.search(done.error_text):
            raise TestRunError(f"No container for tests starts from the image: {excerpt(done.error_text, 300)}")
        if done.returncode != 0:
            raise self.engine.error(action, done)

    def state(self, name: str) -> dict[str, Any]:
        found = self.engine.inspect("container", name)
        if found is None:
            raise EngineError(f"The container of the tests is gone: {self.engine.name} lost it, or someone removed it.")
        return dict(found["State"])

    def report_of(self, name: str) -> tuple[tuple[TestCase, ...], str]:
        """The tests in the report, or why there is none."""
        done = self.engine.run("cp", f"{name}:{self.report}", "-", max_output=REPORT_LIMIT + 65536)
        try:
            return read_report(only_file(done.stdout)), ""
        except TestRunError as error:
            return (), str(error)

    def exit_code(self, name: str) -> int:
        """How the program of a container ended. Raises TestRunError where memory was short, EngineError where the
        engine let go of it."""
        state = self.state(name)
        if state.get("OOMKilled"):
            raise TestRunError(
                f"The tests used more than {self.limits.memory_megabytes} MB of memory and were stopped."
            )
        if state.get("Running") or state.get("Status") not in ("exited", "stopped"):
            raise EngineError(f"{self.engine.name} let go of the tests while they ran; run the step again.")
        return int(state.get("ExitCode", -1))

    def if_killed(self, code: int) -> str:
        # Podman does not say why.
        return f" It was killed; the limit is {self.limits.memory_megabytes} MB of memory." if code == _KILLED else ""


def run_isolated(
    engine: Engine,
    image_id: str,
    limits: Limits | None,
    on_line: Callable[[str], None],
    cases_of: Callable[[Sandbox], tuple[TestCase, ...]],
) -> TestRun:
    """What ``cases_of`` finds in a sandbox of the image; a TestRun with a ``reason`` where it raises TestRunError.

    Raises EngineError where the engine failed.
    """
    sweep(engine)
    facts = engine.find_image(image_id)
    if facts is None:
        raise EngineError(f"{engine.name} no longer has the image {image_id[:19]}; materialize docker_image again.")
    started, reason = monotonic(), ""
    cases: tuple[TestCase, ...] = ()
    sandbox = Sandbox(engine, image_id, facts, limits or Limits(), on_line)
    try:
        cases = cases_of(sandbox)
    except TestRunError as error:
        reason = str(error)
    output = excerpt("\n".join(sandbox.output), 8000)
    return TestRun(cases, round(monotonic() - started, 3), output, reason)
