"""Write a commit's files from a mirror to disk, byte for byte as Git keeps them: the one reader of a tree.

What is scanned, built, tested and deployed comes from here. ``git archive`` and ``git checkout`` would apply the commit's
own attributes (export-subst, export-ignore, eol, ident, working-tree-encoding, filters), and so make of it something else
than what was judged. Deliberately absent: which files and how many (mirror.py and its callers).
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.errors import RepositoryError, excerpt
from resources.git.program import git_argv, git_environment
from resources.machine import process
from resources.machine.unpacking import stays_inside

_CHUNK = 1024 * 1024
_LONGEST_LINK = 4095


def export_blobs(mirror: Path, entries: Iterable[TreeEntry], destination: Path) -> None:
    """Write regular files below ``destination``. Raises RepositoryError for a path that would leave it."""
    files = [entry for entry in entries if entry.is_file]
    with _writing(destination):
        for entry, size, content in _contents(mirror, files):
            target = _inside(destination, entry)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                _copy(content, file, size)
                os.fchmod(file.fileno(), 0o755 if entry.mode == "100755" else 0o644)


def lacks_blob(mirror: Path, blob: str) -> RepositoryError:
    return RepositoryError(f"The mirror {mirror} lacks blob {blob}; delete the mirror to have it cloned anew.")


@contextmanager
def unpacked(mirror: Path, sha: str, entries: Iterable[TreeEntry], scratch: Path) -> Iterator[Path]:
    """All files of a commit in a new folder below ``scratch``, which is removed when the block ends.

    Links come last, and only those that stay inside; a submodule is an empty folder, as in any fresh clone.
    """
    entries = list(entries)
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{sha[:12]}-", dir=scratch))
    try:
        export_blobs(mirror, entries, folder)
        with _writing(folder):
            for entry in entries:
                if entry.is_submodule:
                    _inside(folder, entry).mkdir(parents=True, exist_ok=True)
            _link(mirror, [entry for entry in entries if entry.is_link and (entry.size or 0) <= _LONGEST_LINK], folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _link(mirror: Path, links: list[TreeEntry], folder: Path) -> None:
    for entry, size, content in _contents(mirror, links):
        target, leads_to = _inside(folder, entry), os.fsdecode(content.read(size))
        if "\0" not in leads_to and stays_inside(PurePosixPath(entry.path), leads_to):
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # To nothing at all, which Git can hold and a file system cannot.
                target.symlink_to(leads_to)


def link_targets(mirror: Path, entries: Iterable[TreeEntry]) -> dict[str, str]:
    """Where the links among some entries lead, as they say it, by path; without those that are too long for one."""
    links = [entry for entry in entries if entry.is_link and (entry.size or 0) <= _LONGEST_LINK]
    return {entry.path: os.fsdecode(content.read(size)) for entry, size, content in _contents(mirror, links)}


def _contents(mirror: Path, entries: list[TreeEntry]) -> Iterator[tuple[TreeEntry, int, IO[bytes]]]:
    """Each entry with its size and a stream, of which so many bytes are to be read."""
    with tempfile.TemporaryFile() as questions:
        questions.write(b"".join(f"{entry.blob}\n".encode() for entry in entries))
        questions.seek(0)
        argv = git_argv("-C", str(mirror), "cat-file", "--batch", "--buffer")
        with process.spawned(argv, env=git_environment(), stdin=questions.fileno(), stderr=subprocess.DEVNULL) as child:
            assert child.stdout is not None
            for entry in entries:
                header = child.stdout.readline().split()
                if len(header) != 3 or header[1] != b"blob":
                    raise lacks_blob(mirror, entry.blob)
                yield entry, int(header[2]), child.stdout
                child.stdout.read(1)


def _copy(source: IO[bytes], file: IO[bytes], size: int) -> None:
    while size > 0:
        chunk = source.read(min(size, _CHUNK))
        if not chunk:
            raise RepositoryError("Git ended in the middle of a file; the mirror may be damaged.")
        file.write(chunk)
        size -= len(chunk)


def _inside(root: Path, entry: TreeEntry) -> Path:
    inside = PurePosixPath(entry.path)
    if inside.is_absolute() or ".." in inside.parts:
        raise RepositoryError(
            f"The tree holds the path {excerpt(entry.path, 200)!r}, which leaves it; nothing was written there."
        )
    return root / inside


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RepositoryError(
            f"The files of a commit cannot be written below {folder.parent}: {error.strerror or error}."
        ) from error
