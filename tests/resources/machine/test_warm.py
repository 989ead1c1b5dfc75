"""Functions called in forks of a warm parent: as if here, from today's code, and whatever becomes of the parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.machine.listening import connect
from resources.machine.warm import Warmth
from tests import ROOT
from tests.e2e.waiting import eventually

CALLED = """
import os, sys, time
from pathlib import Path
from resources.machine.imported_files import based_on
config = Path(__file__).with_name("config")
based_on(config)
SET = config.read_text()
def show(word):
    print(word, SET, os.environ["WHO"], os.getcwd(), os.getppid(), flush=True)
    return 3
def wait(until, done):
    try:
        print(os.getpid(), flush=True)
        while not Path(until).exists():
            time.sleep(0.02)
        Path(done).write_text("done")
    except KeyboardInterrupt:
        Path(done).write_text("interrupted")
        raise
def crash():
    os.abort()
"""
CALLER = """
import sys
from pathlib import Path
from resources.machine.warm import Warmth
code = Warmth(Path(sys.argv[1]), ("called",), (), 60).run(sys.argv[2], sys.argv[3:])
sys.exit(99 if code is None else code)
"""


class Caller:
    """Programs that call functions of the module ``called``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home" / "warm"
        self.environment = os.environ | {"PYTHONPATH": f"{ROOT}:{folder}", "WHO": "Ada"}
        (folder / "called.py").write_text(CALLED)
        (folder / "config").write_text("first")

    def start(self, function: str, *words: object) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-c", CALLER, str(self.home), f"called:{function}", *map(str, words)]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, env=self.environment, cwd=self.folder, stdout=pipe, stderr=pipe, text=True)

    def call(self, function: str, *words: object) -> tuple[int, list[str]]:
        with self.start(function, *words) as program:
            out, err = program.communicate(timeout=60)
        return program.returncode, (out + err).split()

    def parent(self) -> int:
        return int(self.call("show", "x")[1][-1])


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    made = Caller(tmp_path)
    yield made
    for parent in _parents(made.home):
        os.kill(parent, signal.SIGTERM)


def _parents(home: Path) -> list[int]:
    """Processes that listen below a folder, or are forked from one that does."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(home).encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_call_is_as_one_here_and_the_parent_is_kept_for_the_next(caller: Caller) -> None:
    first, second = caller.call("show", "one"), caller.call("show", "two")
    assert first[0] == 3 and first[1][:4] == ["one", "first", "Ada", str(caller.folder)]
    assert second[1][0] == "two" and second[1][-1] == first[1][-1]
    assert caller.home.stat().st_mode & 0o777 == 0o700
    (listening,) = caller.home.glob("*.socket")
    assert listening.stat().st_mode & 0o777 == 0o600


def test_modules_of_the_folder_that_we_stand_in_are_not_ours(caller: Caller, tmp_path: Path) -> None:
    stand = tmp_path / "checkout"
    (stand / "resources").mkdir(parents=True)
    for name in ("resources/__init__.py", "hashlib.py", "called.py"):
        (stand / name).write_text(f"open({str(stand / 'reached')!r}, 'w')")
    # -P: as the installed program, which has not the folder it is called in on its path.
    words = [sys.executable, "-P", "-c", CALLER, str(caller.home), "called:show", "x"]
    done = subprocess.run(words, env=caller.environment, cwd=stand, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[:2]) == (3, ["x", "first"]) and not (stand / "reached").exists()


def test_another_environment_has_another_parent(caller: Caller) -> None:
    before = caller.parent()
    caller.environment["WHO"] = "Bob"
    assert caller.call("show", "x")[1][2] == "Bob" and caller.parent() != before


def test_changed_code_and_configuration_are_seen_by_the_next_call(caller: Caller) -> None:
    before = caller.parent()
    (caller.folder / "config").write_text("second")
    assert caller.call("show", "x")[1][1] == "second" and caller.parent() != before
    # Python itself takes compiled code for current where size and second of the source are the same.
    (caller.folder / "called.py").write_text(CALLED.replace("return 3", "return 3 + 1"))
    assert caller.call("show", "x")[0] == 4
    eventually(lambda: not Path(f"/proc/{before}").exists(), 10, "the old parent ended")


def test_calls_end_as_they_would_where_the_parent_is_killed(caller: Caller, tmp_path: Path) -> None:
    parent, until = caller.parent(), tmp_path / "until"
    calls = [caller.start("wait", until, tmp_path / f"done-{number}") for number in range(3)]
    for one in calls:
        assert one.stdout is not None and one.stdout.readline()
    os.kill(parent, signal.SIGKILL)
    assert caller.parent() != parent, "the next call has a new one"
    until.touch()
    assert [one.wait(20) for one in calls] == [0, 0, 0]
    assert [(tmp_path / f"done-{number}").read_text() for number in range(3)] == ["done"] * 3


def test_a_crash_ends_one_call_alone(caller: Caller) -> None:
    parent = caller.parent()
    assert caller.call("crash")[0] == 137 and caller.parent() == parent


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_call_ends_with_its_caller(caller: Caller, tmp_path: Path, how: signal.Signals) -> None:
    caller.parent()
    program = caller.start("wait", tmp_path / "never", tmp_path / "done")
    assert program.stdout is not None
    child = int(program.stdout.readline())
    program.send_signal(how)
    assert program.wait(20) == (130 if how is signal.SIGINT else -signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{child}").exists(), 10, "the child ended")
    assert (tmp_path / "done").read_text() == "interrupted"


def test_what_cannot_be_imported_or_trusted_is_left_to_the_caller(caller: Caller) -> None:
    (caller.folder / "config").unlink()
    assert caller.call("show", "x")[0] == 99
    (caller.folder / "config").write_text("first")
    caller.home.chmod(0o755)
    assert caller.call("show", "x")[0] == 99


def test_the_parent_does_not_grow_and_ends_when_idle(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{caller.folder}")
    warm = Warmth(caller.home, ("called",), (), 2)
    done = caller.folder / "done"
    done.touch()
    memory: list[int] = []
    parent = 0
    for number in range(60):
        assert warm.start("called:wait", [str(done), str(done)])
        if number in (5, 59):
            eventually(lambda: len(_parents(caller.home)) == 1, 10, "the calls ended")
            (parent,) = _parents(caller.home)
            memory.append(_kilobytes(parent))
    assert memory[1] - memory[0] < 300
    eventually(lambda: not Path(f"/proc/{parent}").exists(), 10, "it ended")
    assert connect(caller.home, warm.name) is None and not list(caller.home.glob("*.socket"))


def _kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Rss:"))
