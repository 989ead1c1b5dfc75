"""Running a commit in the foreground, and the UI: what an interrupt does where Dagster does not end, a taken port."""

import socket
import subprocess
import sys
from pathlib import Path

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
