"""What differs between two commits, files that were moved and edited included, however many they are.

Git's own limit on their number finds none of 1,001. Here time and memory are the limits: a file that moved unchanged is
always found; comparing the others pair by pair is given up where it would take too long, and that is said.
"""

from dataclasses import dataclass
from pathlib import Path

from infraaudit_domain.commits import ChangedFile
from infraaudit_domain.errors import ToolError
from resources.git.output import parse_name_status
from resources.git.program import run_git

SIMILARITY_SECONDS = 30.0
SIMILARITY_BYTES = 2 * 1024**3
_READ_SECONDS = 60.0
_ANSWER_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Changes:
    """The files that differ, and what was not looked for among them, in words; empty where all was."""

    files: tuple[ChangedFile, ...]
    given_up: str = ""


def changes_between(mirror: Path, *between: str) -> Changes:
    """The changes from the first commit to the second, or of one with ``--root``. Raises ToolError."""
    try:
        words = ("-M", "-l0", *between)
        return Changes(_diff(mirror, *words, timeout=SIMILARITY_SECONDS, memory=SIMILARITY_BYTES))
    except ToolError as error:
        # Also where the commits cannot be read at all: then this raises what is wrong with them.
        moved = _diff(mirror, "-M100%", *between, timeout=_READ_SECONDS)
        return Changes(moved, f"files that were both moved and edited were not looked for ({error})")


def _diff(mirror: Path, *words: str, timeout: float, memory: int | None = None) -> tuple[ChangedFile, ...]:
    asked = ("diff-tree", "-r", "--no-commit-id", "--name-status", "-z", *words)
    done = run_git(*asked, timeout=timeout, folder=mirror, max_output=_ANSWER_BYTES, memory=memory)
    if done.truncated:
        raise ToolError(f"git diff-tree answers with more than {_ANSWER_BYTES} bytes")
    return tuple(parse_name_status(done.stdout.decode("utf-8", "surrogateescape")))
