"""Write a commit's files from a mirror to disk: chosen ones as they are, or all of them as a clean copy.

Deliberately absent: which files and how many (mirror.py and its callers).
"""

import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.errors import RepositoryError, excerpt
from resources.git.program import git_argv, git_environment
from resources.git.tree_archive import extract
from resources.machine import process

ARCHIVE_SECONDS = 600.0


def export_blobs(mirror: Path, entries: Iterable[TreeEntry], destination: Path) -> None:
    """Write regular files below ``destination``. Raises RepositoryError for a path that would leave it."""
    files = [entry for entry in entries if entry.is_file]
    with tempfile.TemporaryFile() as questions:
        questions.write(b"".join(f"{entry.blob}\n".encode() for entry in files))
        questions.seek(0)
        argv = git_argv("-C", str(mirror), "cat-file", "--batch", "--buffer")
        with process.spawned(argv, env=git_environment(), stdin=questions.fileno(), stderr=subprocess.DEVNULL) as child:
            assert child.stdout is not None
            for entry in files:
                header = child.stdout.readline().split()
                if len(header) != 3:
                    raise lacks_blob(mirror, entry.blob)
                content = child.stdout.read(int(header[2]) + 1)[:-1]
                _write_file(destination, entry, content)


def lacks_blob(mirror: Path, blob: str) -> RepositoryError:
    return RepositoryError(f"The mirror {mirror} lacks blob {blob}; delete the mirror to have it cloned anew.")


@contextmanager
def unpacked(mirror: Path, sha: str, scratch: Path) -> Iterator[Path]:
    """All files of a commit in a new folder below ``scratch``, which is removed when the block ends."""
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{sha[:12]}-", dir=scratch))
    try:
        _unpack(mirror, sha, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(mirror: Path, sha: str, folder: Path) -> None:
    argv = git_argv("-C", str(mirror), "archive", "--format=tar", sha)
    try:
        with tempfile.TemporaryFile(dir=folder.parent) as archive:
            with process.spawned(argv, env=git_environment(), stdout=archive, stderr=subprocess.PIPE) as child:
                if child.wait(ARCHIVE_SECONDS) != 0:
                    assert child.stderr is not None
                    said = excerpt(child.stderr.read().decode("utf-8", "replace"))
                    raise RepositoryError(f"Commit {sha[:12]} cannot be checked out: {said}")
            archive.seek(0)
            extract(archive, folder)
    except OSError as error:
        raise RepositoryError(
            f"Commit {sha[:12]} cannot be checked out below {folder.parent}: {error.strerror}. Is the disk full?"
        ) from error


def _write_file(root: Path, entry: TreeEntry, content: bytes) -> None:
    inside = PurePosixPath(entry.path)
    if inside.is_absolute() or ".." in inside.parts:
        raise RepositoryError(
            f"The tree holds the path {excerpt(entry.path, 200)!r}, which leaves it; nothing was written there."
        )
    target = root / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    if entry.mode == "100755":
        target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
