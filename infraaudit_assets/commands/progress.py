"""What long work shows on the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def progress() -> Progress:
    """A bar on standard error, which stays there while the steps' own output goes to a file."""
    console = Console(file=os.fdopen(os.dup(2), "w"))
    text = TextColumn("{task.description}", markup=False)
    return Progress(SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)


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
