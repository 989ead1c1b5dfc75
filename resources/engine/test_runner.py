"""Run the tests of a commit inside its own image, isolated from everything of ours.

No network, a read-only root, no capabilities, no new privileges, a user that owns nothing, limits on memory, processes,
time and every file written; their working directory is a copy that is thrown away. Only one file comes out, in a volume
whose folder is root's: the tests can write it and create no other (Podman gives them the folder; each file is limited).
Deliberately absent: trust in the report; tests can forge their own results, but nothing else.
"""

import re
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from posixpath import normpath
from time import monotonic
from typing import Any

from infraaudit_domain.delivery.images import volume_fault
from infraaudit_domain.delivery.test_runs import TestCase, TestRun
from infraaudit_domain.errors import EngineError, TestRunError, ToolTimeoutError, excerpt
from resources.engine import Engine
from resources.engine.client import ImageFacts, label_words
from resources.engine.junit_report import REPORT_LIMIT, empty_report, only_file, read_report
from resources.engine.last_words import last_words
from resources.engine.leftovers import owner_label, sweep
from resources.engine.limits import Limits
from resources.engine.scratch_copy import COPIED_MEGABYTES, copied_folder, read_folder, unpacking
from resources.machine.process import Completed

_USER = 10001
_REPORT = "junit.xml"
_OUTPUT_LINES = 200
# A file where a folder has to be, or the reverse.
_THE_IMAGES_FAULT = re.compile(
    r"not a directory|be a directory|chdir to cwd|outside of rootfs|is a directory", re.IGNORECASE
)
_PROGRAMS = ("python3", "python")
# pytest's own exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html
_INTERRUPTED, _INTERNAL_ERROR, _USAGE, _NOTHING_COLLECTED = 2, 3, 4, 5
_KILLED = 137
_NOT_INSTALLED = " Install pytest in the image."


def run_tests(
    engine: Engine,
    image_id: str,
    tests_path: str,
    *,
    limits: Limits | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> TestRun:
    """Run pytest on ``tests_path`` (relative to the image's working directory) in a new container of the image.

    A run without a usable report is a TestRun with a ``reason``. Raises EngineError where the engine failed.
    """
    limits = limits or Limits()
    sweep(engine)
    facts = engine.find_image(image_id)
    if facts is None:
        raise EngineError(f"{engine.name} no longer has the image {image_id[:19]}; materialize docker_image again.")
    started = monotonic()
    output: deque[str] = deque(maxlen=_OUTPUT_LINES)

    def say(line: str) -> None:
        output.append(excerpt(line, 1000))
        on_line(output[-1])

    cases: tuple[TestCase, ...] = ()
    reason = ""
    try:
        cases = _Run(engine, image_id, facts, tests_path, limits, say, output).cases()
    except TestRunError as error:
        reason = str(error)
    return TestRun(cases, round(monotonic() - started, 3), excerpt("\n".join(output), 8000), reason)


@dataclass(frozen=True, slots=True)
class _Run:
    engine: Engine
    image_id: str
    facts: ImageFacts
    tests_path: str
    limits: Limits
    say: Callable[[str], None]
    output: Sequence[str]

    def cases(self) -> tuple[TestCase, ...]:
        if self.tests_path.startswith("-"):
            raise TestRunError(f"The tests' path {excerpt(self.tests_path, 100)} is an option, not a path.")
        for program, folder in product(_PROGRAMS, dict.fromkeys((copied_folder(self.facts, self.tests_path), ""))):
            with self._container(program, folder) as name:
                archive = read_folder(self.engine, name, folder) if folder else None
                if (folder and not archive) or not self._start(name, archive):
                    continue
                state = self._state(name)
                report, broken = self._report(name)
                return self._judge(state, report, broken)
        raise TestRunError(f"The image has no {' or '.join(_PROGRAMS)} in its PATH: install Python and pytest in it.")

    @contextmanager
    def _container(self, program: str, folder: str) -> Iterator[str]:
        """A container that is ready to start, with an empty report; removed at the end, with its volume.

        ``folder`` is the one that it gets a copy of.
        """
        name = f"infraaudit-tests-{uuid.uuid4().hex[:16]}"
        labels = label_words(owner_label() | {"infraaudit.kind": "tests"})
        try:
            self.engine.run("volume", "create", *labels, name)
            self.engine.run(
                "create", "--name", name, *labels, *self._sandbox(name, folder), *self._command(program, folder)
            )
            done = self.engine.run("cp", "-", f"{name}:/reports", stdin=empty_report(_REPORT, _USER), check=False)
            self._expect(done, "cp")
            yield name
        finally:
            # What cannot be removed now is swept by the next run; the first error is the one that matters.
            with suppress(EngineError):
                self.engine.remove_container(name)
                self.engine.remove_volume(name)

    def _sandbox(self, volume: str, folder: str) -> list[str]:
        limits = self.limits
        size = limits.scratch_megabytes
        if fault := volume_fault(self.facts.volumes):
            raise TestRunError(f"The image cannot be tested: {fault}")
        folders = {"/tmp", *map(normpath, self.facts.volumes)} - {"/reports", folder}
        scratch = [f"--tmpfs={path}:rw,nosuid,nodev,size={size}m,mode=1777" for path in sorted(folders)]
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
            f"--volume={volume}:/reports:nocopy",
            "--env=HOME=/tmp",
            "--env=PYTHONDONTWRITEBYTECODE=1",
            "--env=PYTHONUNBUFFERED=1",
            "--env=PYTEST_ADDOPTS=",
        ]

    def _command(self, program: str, folder: str) -> list[str]:
        options = ["-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junitxml=/reports/{_REPORT}"]
        unpack = unpacking(folder) if folder else []
        return [
            "--interactive",
            f"--entrypoint={program}",
            self.image_id,
            *unpack,
            "-m",
            "pytest",
            *options,
            "--",
            self.tests_path,
        ]

    def _start(self, name: str, archive: bytes | None) -> bool:
        """Run the container until it ends. False where the image has no such program."""
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
        if self._state(name).get("Status") == "created":
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

    def _state(self, name: str) -> dict[str, Any]:
        found = self.engine.inspect("container", name)
        if found is None:
            raise EngineError(f"The container of the tests is gone: {self.engine.name} lost it, or someone removed it.")
        return dict(found["State"])

    def _report(self, name: str) -> tuple[tuple[TestCase, ...], str]:
        """The tests in the report, or why there is none."""
        done = self.engine.run("cp", f"{name}:/reports/{_REPORT}", "-", max_output=REPORT_LIMIT + 65536)
        try:
            return read_report(only_file(done.stdout)), ""
        except TestRunError as error:
            return (), str(error)

    def _judge(self, state: dict[str, Any], cases: tuple[TestCase, ...], broken: str) -> tuple[TestCase, ...]:
        code = int(state.get("ExitCode", -1))
        bad = any(case.is_bad for case in cases)
        if state.get("OOMKilled"):
            raise TestRunError(
                f"The tests used more than {self.limits.memory_megabytes} MB of memory and were stopped."
            )
        if state.get("Running") or state.get("Status") not in ("exited", "stopped"):
            raise EngineError(f"{self.engine.name} let go of the tests while they ran; run the step again.")
        if code == _NOTHING_COLLECTED or (not broken and code == 0 and not cases):
            raise TestRunError(f"pytest found no test in {self.tests_path}.")
        said = last_words(self.output)
        if code == _USAGE:
            missing = not said or "file or directory not found" in said
            where = ": is it in the image, below its working directory?" if missing else "."
            raise TestRunError(f"pytest could not start on {self.tests_path}{where}{said}")
        if broken:
            raise TestRunError(f"{broken} pytest ended with exit code {code}.{self._hint(code)}{said}")
        if code != 0 and not bad:
            raise TestRunError(
                f"pytest ended with exit code {code}, and its report names no failure.{self._hint(code)}{said}"
            )
        return cases

    def _hint(self, code: int) -> str:
        return {
            1: _NOT_INSTALLED if any("No module named pytest" in line for line in self.output) else "",
            _INTERRUPTED: " It was interrupted, or a test could not be imported.",
            _INTERNAL_ERROR: " That is an error within pytest or a plugin.",
            # Podman does not say why.
            _KILLED: f" It was killed; the limit is {self.limits.memory_megabytes} MB of memory.",
        }.get(code, "")
