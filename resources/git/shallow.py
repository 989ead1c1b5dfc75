"""Where a mirror's history ends before it begins, because the repository that it was fetched from is shallow.

Git shows a commit at that boundary without parents, as if it were the first one; what it was written with shows it.
"""

from collections.abc import Sequence
from pathlib import Path

from resources.git.program import run_git
from resources.machine.atomic_file import write_atomically

_SECONDS = 60.0
_COMMIT_BYTES = 64 * 1024 * 1024


def boundary(mirror: Path) -> frozenset[str]:
    """The commits whose parents were not fetched."""
    try:
        return frozenset((mirror / "shallow").read_text("ascii").split())
    except FileNotFoundError:
        return frozenset()


def written_parents(mirror: Path, sha: str) -> tuple[str, ...]:
    """The parents that a commit was written with, fetched or not. Raises ToolError."""
    done = run_git("cat-file", "commit", sha, timeout=_SECONDS, folder=mirror, max_output=_COMMIT_BYTES)
    header = done.stdout.partition(b"\n\n")[0].split(b"\n")
    return tuple(line[7:].decode("ascii") for line in header if line.startswith(b"parent "))


def rejoin(mirror: Path) -> None:
    """Open the boundary where the mirror has the parents: a repository that became shallow hides nothing that was there."""
    closed = boundary(mirror)
    still = [sha for sha in sorted(closed) if not _are_here(mirror, written_parents(mirror, sha))]
    if closed and not still:
        (mirror / "shallow").unlink()
    elif len(still) < len(closed):
        write_atomically(mirror / "shallow", "".join(f"{sha}\n" for sha in still).encode("ascii"))


def _are_here(mirror: Path, shas: Sequence[str]) -> bool:
    words = ("cat-file", "--batch-check=%(objecttype)")
    found = run_git(*words, timeout=_SECONDS, folder=mirror, stdin="".join(f"{sha}\n" for sha in shas).encode())
    return found.text.split() == ["commit"] * len(shas)
