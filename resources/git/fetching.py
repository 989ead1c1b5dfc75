"""Bring a mirror up to date: the branches and tags of a repository, its objects checked by their names, and nothing else.

Other refs (refs/replace, refs/notes, refs/pull and a forge's own) are what somebody says beside the commits; no answer of
ours rests on them. Deliberately absent: reading what was fetched (mirror.py).
"""

import logging
import tempfile
from pathlib import Path

from infraaudit_domain.errors import RepositoryError, ToolError, excerpt
from resources.git.healing import CLONE_PREFIX, has_cut_pack, is_broken, salvage, sweep
from resources.git.program import run_git, without_password
from resources.git.shallow import boundary, rejoin
from resources.machine.locks import locked_within

FETCH_SECONDS = 600.0
BESIDE_SECONDS = 60.0
READ_SECONDS = 60.0
LOCK_SECONDS = 20.0
_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_LOG = logging.getLogger("infraaudit.git")
_OURS = ("refs/heads/", "refs/tags/")


def fetch_into(mirror: Path, url: str) -> None:
    """Bring the mirror up to date, cloning it first where there is none, or where it is broken. Raises RepositoryError.

    One process at a time; commits that left every branch stay readable, because nothing is garbage-collected.
    """
    # Not for ever: behind a remote that hangs, the waiting would use up the threads of a code server, and stop every
    # other project too.
    with locked_within(mirror.parent / f".{mirror.name}.lock", LOCK_SECONDS) as ours:
        if not ours:
            raise RepositoryError(
                f"Another fetch of {without_password(url)} has been going on for {LOCK_SECONDS:.0f} "
                "seconds or more; this one gave way to it and is tried again."
            )
        sweep(mirror)
        try:
            if mirror.exists():
                _fetch_or_replace(mirror, url)
            else:
                _clone(mirror, url)
        except ToolError as error:
            raise _unreachable(url, error) from error


def fetch_beside(mirror: Path, url: str, ref: str) -> None:
    """Fetch the commit at a ref that is no branch or tag; its objects come into the mirror, and no ref does.

    Raises RepositoryError, also where the repository has no such ref.
    """
    # FETCH_HEAD is not written either: nothing but a SHA names what a stranger made.
    words = (
        "fetch",
        "--no-auto-gc",
        "--no-tags",
        "--no-write-fetch-head",
        "--quiet",
        "--update-shallow",
        "--",
        url,
        ref,
    )
    with locked_within(mirror.parent / f".{mirror.name}.lock", LOCK_SECONDS) as ours:
        if not ours:
            raise RepositoryError(f"{without_password(url)} is being fetched; {ref} is fetched later.")
        try:
            run_git(*words, timeout=BESIDE_SECONDS, folder=mirror)
        except ToolError as error:
            raise RepositoryError(
                f"{ref} of {without_password(url)} cannot be read: {excerpt(str(error), 600)}"
            ) from error


def _fetch_or_replace(mirror: Path, url: str) -> None:
    try:
        if not has_cut_pack(mirror):
            _fetch(mirror, url)
            return
    except ToolError:
        if not is_broken(mirror, url):
            raise
    _LOG.warning("The mirror of %s is broken and is cloned anew.", without_password(url))
    _replace(mirror, url)


def _replace(mirror: Path, url: str) -> None:
    """What is broken stays until its successor is whole."""
    with tempfile.TemporaryDirectory(dir=mirror.parent, prefix=_scratch(mirror)) as scratch:
        broken, fresh = Path(scratch) / "broken", Path(scratch) / "successor"
        _clone(fresh, url)
        mirror.rename(broken)
        fresh.rename(mirror)
        salvage(broken, mirror)


def _scratch(mirror: Path) -> str:
    return f"{CLONE_PREFIX}{mirror.name}-"


def _clone(mirror: Path, url: str) -> None:
    with tempfile.TemporaryDirectory(dir=mirror.parent, prefix=_scratch(mirror)) as scratch:
        fresh = Path(scratch) / "mirror"
        # Not --mirror, which takes every ref. Not as a copy of the files, either, which a path would be: objects that are
        # sent are checked by their names, and need no other repository.
        run_git("clone", "--bare", "--no-local", "--quiet", "--", url, str(fresh), timeout=FETCH_SECONDS)
        fresh.rename(mirror)


def _fetch(mirror: Path, url: str) -> None:
    # A repository that is shallow is taken as it is; one that no longer is completes the mirror.
    depth = ("--unshallow",) if boundary(mirror) else ()
    words = ("fetch", "--prune", "--no-auto-gc", "--quiet", "--update-shallow", *depth, "--", url, *_REFS)
    run_git(*words, timeout=FETCH_SECONDS, folder=mirror)
    rejoin(mirror)
    _drop_other_refs(mirror)


def _drop_other_refs(mirror: Path) -> None:
    """Mirrors of old hold every ref that the repository had."""
    listed = run_git("for-each-ref", "--format=%(refname)", timeout=READ_SECONDS, folder=mirror).stdout.split(b"\n")
    other = [ref for ref in listed if ref and not ref.decode("utf-8", "replace").startswith(_OURS)]
    if other:
        lines = b"".join(b"delete " + ref + b"\n" for ref in other)
        run_git("update-ref", "--stdin", timeout=READ_SECONDS, folder=mirror, stdin=lines)


def _unreachable(url: str, error: Exception) -> RepositoryError:
    return RepositoryError(
        f"The repository {without_password(url)} cannot be read: {excerpt(str(error), 600)}. "
        "Check its url in the projects file, that it exists, and that git can read it without a prompt."
    )
