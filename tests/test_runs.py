"""Running a commit in the foreground: what an interrupt does where Dagster does not end."""

import subprocess
import sys

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
