import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.machine.locks import locked, locked_within

_HOLD = """
import sys
from pathlib import Path
from resources.machine.locks import locked

with locked(Path(sys.argv[1])) as stream:
    stream.write("left by the first holder")
    stream.flush()
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is killed or its input ends."""
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_killed_holder_frees_the_lock_and_leaves_the_content(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        with locked_within(path, 0) as ours:
            assert ours
        with locked(path) as stream:
            stream.seek(0)
            assert stream.read() == "left by the first holder"
    assert path.read_text() == "left by the first holder"


def test_with_no_seconds_a_held_lock_is_not_ours_and_a_freed_one_is(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    with holder(path) as process:
        with locked_within(path, 0) as ours:
            assert not ours
        process.communicate(timeout=10)
        with locked_within(path, 0) as ours:
            assert ours


def test_a_lock_that_is_freed_in_time_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        assert process.stdin is not None
        process.stdin.close()
        with locked_within(path, 10) as ours:
            assert ours
