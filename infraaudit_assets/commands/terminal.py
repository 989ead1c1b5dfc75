"""Standard output for people."""

import os
import sys
from collections.abc import Callable

from rich.console import Console

from infraaudit_domain.errors import ConfigurationError, InfraAuditError

_WIDTH_OF_A_PIPE = 10_000


def standard_output() -> Console:
    """Where tables are printed; every text is shown as it is, markup in it too.

    A pipe or a file has no width to keep to, unless COLUMNS says one: a cell that is cut, or folded at 80 columns,
    cannot be searched for.
    """
    console = Console(markup=False, emoji=False)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = _WIDTH_OF_A_PIPE
    return console


def exit_code_of(command: Callable[[], int]) -> int:
    """Run a command; its exit code: 1 where the pipeline stopped or something failed, 2 for wrong usage or
    configuration."""
    try:
        return command()
    except InfraAuditError as error:
        print(f"infraaudit: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
