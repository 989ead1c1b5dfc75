"""What long work shows on the terminal, and where there is none: a bar, or a line every few seconds."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

LINE_SECONDS = 5.0
"""How often a log, or whoever reads a pipe, gets a line while work continues."""


class _Lines(Progress):
    """The same tasks, as lines that are printed when a task begins, every few seconds, and at the end."""

    def __init__(self, console: Console) -> None:
        super().__init__(console=console, disable=True)
        self._ended = threading.Event()
        self._said = ""
        self._began = time.monotonic()

    def start(self) -> None:
        threading.Thread(target=self._say_now_and_then, daemon=True).start()

    def stop(self) -> None:
        self._ended.set()
        self._say()

    def add_task(self, *given: Any, **options: Any) -> Any:
        task = super().add_task(*given, **options)
        self._say()
        return task

    def _say_now_and_then(self) -> None:
        while not self._ended.wait(LINE_SECONDS):
            self._say()

    def _say(self) -> None:
        for task in self.tasks:
            done = f"{task.completed:.0f} of {task.total:.0f}" if task.total else f"{task.completed:.0f} done"
            said = " ".join(filter(None, (done, task.description, str(task.fields.get("rate", "")))))
            if said != self._said or not self._ended.is_set():
                self._said = said
                print(f"{said} ({time.monotonic() - self._began:.0f} s)", file=self.console.file, flush=True)


def progress(*columns: Any, quiet: bool = False) -> Progress:
    """A bar on standard error, which stays there while the steps' own output goes to a file; lines off a terminal."""
    console = Console(file=os.fdopen(os.dup(2), "w"))
    if not console.is_terminal and not quiet:
        return _Lines(console)
    text = TextColumn("{task.description}", markup=False)
    shown = columns or (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*shown, console=console, disable=quiet)


def output_of_steps(log: Path, verbose: bool) -> AbstractContextManager[None]:
    """Where Dagster's log of every step goes: to the terminal, or to a file."""
    return nullcontext() if verbose else _steps_write_to(log)


@contextmanager
def _steps_write_to(log: Path) -> Iterator[None]:
    """Send what the steps print, in this process and its children, to the end of a file instead of the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with log.open("ab") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, original in zip((1, 2), kept, strict=True):
            os.dup2(original, number)
            os.close(original)
