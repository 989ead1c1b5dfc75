"""Running a commit in the foreground, and the UI: interrupts where Dagster does not end, and a taken port."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("infraaudit")

STUCK = """
import signal, time
from infraaudit_assets import runs
runs._SECONDS_TO_STOP = 0.5
signal.signal(signal.SIGINT, lambda *_: None)
with runs.ended_by_interrupts():
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""


SIGNALLED_AS_IT_STARTS = """
import os, signal, sys
from infraaudit_assets.commands import up
from resources.machine import process
words_of = process.dying_with_us
def signalled(words):
    os.kill(os.getpid(), signal.SIGTERM)
    return words_of(words)
process.dying_with_us = signalled
sys.exit(up._run_together(["sleep", "1000"], ["sleep", "1000"]))
"""

SLOW_TO_STOP = """
import signal, time
signals = []
signal.signal(signal.SIGINT, lambda *_: signals.append(1))
print("ready", flush=True)
while not signals:
    time.sleep(0.05)
time.sleep(1)
print(f"signalled {len(signals)} times", flush=True)
"""

STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, lambda *_: print("signalled", flush=True))
print("ready", flush=True)
while True:
    time.sleep(60)
"""

TOGETHER = """
import sys
from infraaudit_assets.commands import up
sys.exit(up._run_together([sys.executable, "-c", sys.argv[1]], ["head", "--bytes=1"]))
"""


def test_a_signal_that_comes_as_the_programs_start_stops_them() -> None:
    assert subprocess.run([sys.executable, "-c", SIGNALLED_AS_IT_STARTS], timeout=60).returncode == 0


@contextmanager
def together(program: str) -> Iterator["subprocess.Popen[str]"]:
    """A program that runs together with one that ends with its input; its first line of output is read."""
    words = [sys.executable, "-c", TOGETHER, program]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout and child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("other_ends", [False, True])
def test_each_program_is_signalled_once_to_stop(other_ends: bool) -> None:
    """`dagster dev` leaves its own programs behind where it is signalled a second time."""
    with together(SLOW_TO_STOP) as child:
        assert child.stdin and child.stdout
        if other_ends:
            child.stdin.close()
        else:
            child.send_signal(signal.SIGTERM)
        assert child.stdout.read() == "signalled 1 times\n"
        assert child.wait(60) == (1 if other_ends else 0)


def test_signalled_a_second_time_it_waits_for_nothing() -> None:
    with together(STUBBORN) as child:
        child.send_signal(signal.SIGINT)
        assert child.stdout and child.stdout.readline() == "signalled\n"
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 0 and child.stdout.read() == "", "the stubborn one is gone too"


def test_an_interrupt_that_nothing_honours_ends_the_program_all_the_same() -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        child.send_signal(2)
        assert child.wait(60) == 130


def test_a_taken_port_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([PROGRAM, "up", "--port", str(port)], capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    assert f"Port {port} of 127.0.0.1" in done.stderr and "--port" in done.stderr
