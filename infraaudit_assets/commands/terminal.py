"""Standard output for people."""

from rich.console import Console

_WIDTH_OF_A_PIPE = 10_000


def standard_output() -> Console:
    """Where tables are printed; every text is shown as it is, markup in it too.

    A pipe or a file has no width to keep to: a cell that is cut, or folded at 80 columns, cannot be searched for.
    """
    console = Console(markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_PIPE
    return console
