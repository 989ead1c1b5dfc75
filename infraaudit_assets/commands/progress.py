"""What long work shows on the terminal."""

import os
from contextlib import AbstractContextManager, nullcontext
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
    from infraaudit_assets.runs import steps_write_to

    return nullcontext() if verbose else steps_write_to(log)
