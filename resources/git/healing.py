"""Put right what a killed git or a crashed machine left in a mirror: nobody repairs one by hand.

Only a fetch writes to a mirror, and it holds our lock: whatever lock or temporary file stands there before it begins
belongs to nobody. Deliberately absent: fetching and cloning (fetching.py).
"""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from infraaudit_domain.errors import ToolError
from resources.git.program import run_git

CLONE_PREFIX = ".clone-"
_CHECK_SECONDS = 600.0
_REMOTE_SECONDS = 60.0
_LONGEST_CLONE = 2 * 3600.0
_CONTENT = re.compile(rb"(ref: refs/\S+|[0-9a-f]{40,64})\n?")
"""Of a file that is a reference."""


def sweep(mirror: Path) -> None:
    """Remove locks and half-written files of a mirror that no process holds, and clones that were never finished."""
    for path in _leftovers(mirror):
        path.unlink(missing_ok=True)
    for clone in mirror.parent.glob(f"{CLONE_PREFIX}*"):
        # One of ours is none of another process, whose lock is ours now. Others may be under way.
        is_ours = clone.name.startswith(f"{CLONE_PREFIX}{mirror.name}-")
        if is_ours or time.time() - clone.stat().st_mtime > _LONGEST_CLONE:
            shutil.rmtree(clone, ignore_errors=True)


def _leftovers(mirror: Path) -> Iterator[Path]:
    yield from mirror.glob("*.lock")
    yield from (mirror / "refs").rglob("*.lock")
    yield from (mirror / "objects" / "pack").glob("tmp_*")
    yield from (mirror / "objects" / "pack").glob("*.keep")
    yield from (mirror / "objects").glob("[0-9a-f][0-9a-f]/tmp_obj_*")


def is_broken(mirror: Path, url: str) -> bool:
    """Whether a fetch failed for the mirror's own state and not for the repository's; git checks it whole only where
    the repository answers."""
    if any(not _is_reference(path) for path in _references(mirror)) or not _answers(mirror):
        return True
    try:
        run_git("ls-remote", "--heads", "--quiet", "--", url, timeout=_REMOTE_SECONDS, max_output=64 * 1024 * 1024)
    except ToolError:
        return False
    return not _is_whole(mirror)


def has_cut_pack(mirror: Path) -> bool:
    """Whether a pack does not end as its index says, which git itself notices only where it reads there."""
    return any(not _ends_as_indexed(index) for index in (mirror / "objects" / "pack").glob("pack-*.idx"))


def _ends_as_indexed(index: Path) -> bool:
    # An index ends with the checksum of its pack and its own; SHA-1 has 20 bytes, SHA-256 has 32.
    recorded, found = _end(index, 64), _end(index.with_suffix(".pack"), 32)
    return len(found) == 32 and (recorded[-40:-20] == found[-20:] or recorded[:32] == found)


def _end(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(-min(size, path.stat().st_size), 2)
            return stream.read()
    except OSError:
        return b""


def _references(mirror: Path) -> Iterator[Path]:
    yield mirror / "HEAD"
    yield from (path for path in (mirror / "refs").rglob("*") if path.is_file())


def _is_reference(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return _CONTENT.fullmatch(stream.read(4096)) is not None
    except OSError:
        return False


def _answers(mirror: Path) -> bool:
    """Whether git takes the folder for a bare repository at all, by its configuration and its packed references."""
    try:
        done = run_git("rev-parse", "--is-bare-repository", timeout=_REMOTE_SECONDS, folder=mirror)
        run_git("for-each-ref", "--count=1", timeout=_REMOTE_SECONDS, folder=mirror)
    except ToolError:
        return False
    return done.stdout.strip() == b"true"


def _is_whole(mirror: Path) -> bool:
    try:
        run_git("fsck", "--connectivity-only", "--no-dangling", "--no-progress", timeout=_CHECK_SECONDS, folder=mirror)
    except ToolError:
        return False
    return True


def salvage(broken: Path, mirror: Path) -> None:
    """Bring what is readable of a broken mirror's objects into the one that takes its place: commits that are on no
    branch any more are nowhere else."""
    for index in sorted((broken / "objects" / "pack").glob("pack-*.idx")):
        pack = index.with_suffix(".pack")
        target = mirror / "objects" / "pack" / pack.name
        if not target.exists() and _is_sound(index):
            shutil.move(pack, target)
            shutil.move(index, target.with_suffix(".idx"))
    for loose in (broken / "objects").glob("[0-9a-f][0-9a-f]/*"):
        target = mirror / "objects" / loose.parent.name / loose.name
        if not target.exists() and loose.stat().st_size:
            target.parent.mkdir(exist_ok=True)
            shutil.move(loose, target)


def _is_sound(index: Path) -> bool:
    try:
        run_git("verify-pack", "--", str(index), timeout=_CHECK_SECONDS)
    except ToolError:
        return False
    return True
