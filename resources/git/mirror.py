"""A project's repository as a bare mirror, read with the git program.

The git program, and not a library, because it has the user's credential helpers. It runs without prompts and hooks,
with time limits. Deliberately absent: writing to a repository.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from infraaudit_domain.commits import ChangedFile, Commit, TreeEntry, tree_fault
from infraaudit_domain.errors import RepositoryError, ToolError, UnknownRevisionError, excerpt
from resources.git.changes import Changes, changes_between
from resources.git.fetching import fetch_beside, fetch_into
from resources.git.files import export_blobs, lacks_blob, link_targets, unpacked
from resources.git.output import COMMIT_FORMAT, commit_time, named_by_head, parse_commit, parse_entry
from resources.git.program import run_git, without_password
from resources.git.revisions import commit_at, resolve_in
from resources.git.shallow import boundary, written_parents
from resources.machine import process

READ_SECONDS = 60.0
_LOG = logging.getLogger("infraaudit.git")
CHECKOUT_BYTES = 2 * 1024**3
CHECKOUT_FILES = 200_000
_ANSWER_BYTES = 512 * 1024 * 1024
_HEAD_BYTES = 10_000


class Mirror:
    """A ``git clone --mirror`` of one repository under our own state folder."""

    def __init__(self, url: str, path: Path) -> None:
        self.url, self.path = url, path

    def fetch(self) -> None:
        """Bring the mirror up to date, cloning it first where there is none. Raises RepositoryError."""
        fetch_into(self.path, self.url)

    def fetch_beside(self, ref: str) -> None:
        """Fetch what is at a ref that is no branch or tag, as a forge has for requests. Raises RepositoryError."""
        fetch_beside(self.path, self.url, ref)

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both have in their histories; None where there is none."""
        done = self._git("merge-base", one, other, timeout=READ_SECONDS, check=False)
        if done.returncode not in (0, 1):
            raise RepositoryError(f"Git cannot relate {one} and {other}: {done.error_text}")
        return done.text.strip() or None

    def branches(self) -> dict[str, str]:
        """The tip of every branch, by branch name."""
        words = ("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/")
        # No branch has a backslash in its name: what is no UTF-8 keeps a name of its own.
        lines = self._read(*words, undecodable="backslashreplace").split("\n")
        return {name: sha for sha, _, name in (line.partition(" ") for line in lines if line)}

    def default_branch(self) -> str | None:
        """The branch that HEAD of the repository itself names now; it need not exist. Raises RepositoryError."""
        try:
            done = run_git(
                "ls-remote", "--symref", "--", self.url, "HEAD", timeout=READ_SECONDS, max_output=_HEAD_BYTES
            )
        except ToolError as error:
            raise RepositoryError(f"{without_password(self.url)} does not say what its HEAD is: {error}") from error
        return named_by_head(done.stdout.decode("utf-8", "backslashreplace"))

    def tip(self, branch: str) -> str:
        """The newest commit of a branch, whatever else has its name. Raises UnknownRevisionError."""
        if found := self.branches().get(branch):
            return found
        raise UnknownRevisionError(f"{without_password(self.url)} has no branch {excerpt(branch, 100)!r}.")

    def resolve(self, revision: str) -> str:
        """The full SHA that a branch, SHA, tag or beginning of a SHA means. Raises UnknownRevisionError."""
        return resolve_in(self.path, without_password(self.url), revision)

    def commit(self, sha: str) -> Commit:
        """One commit, by its SHA, with the files it changed against its first parent. Raises UnknownRevisionError.

        Where the repository is shallow, a commit may have parents that the mirror does not have.
        """
        if commit_at(self.path, sha) != sha:
            raise UnknownRevisionError(f"{without_password(self.url)} has no commit {excerpt(sha, 100)}.")
        words = ("show", "-s", "--no-show-signature", f"--format={COMMIT_FORMAT}", sha)
        fields = self._read(*words, undecodable="replace")
        commit = parse_commit(fields.rstrip("\n"), self.changed_files(sha))
        return replace(commit, parents=self._as_written({sha: commit.parents})[sha])

    def commits(self, new: Sequence[str], known: Sequence[str] = (), since: datetime | None = None) -> list[str]:
        """SHAs reachable from ``new`` and not from ``known``, committed at ``since`` or later, parents first."""
        shas = list(self.lineage(new, known))
        if since is None:
            return shas
        # A filter, because Git's plain --since stops at the first older commit, though newer ones may follow.
        words = ("rev-list", f"--since-as-filter={int(since.timestamp())}", "--stdin")
        young = set(self._read(*words, stdin=new).split())
        return [sha for sha in shas if sha in young]

    def lineage(self, new: Sequence[str], known: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
        """What ``commits`` lists, in that order, each with its parents, in the mirror or not."""
        words = ("rev-list", "--topo-order", "--reverse", "--parents", "--stdin")
        lines = self._read(*words, stdin=[*new, *(f"^{sha}" for sha in known)]).splitlines()
        return self._as_written({sha: tuple(parents) for sha, *parents in (line.split() for line in lines)})

    def parents(self, shas: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The parents of each commit, in the mirror or not."""
        lines = (
            self._read("rev-list", "--no-walk=unsorted", "--parents", "--stdin", stdin=shas).splitlines()
            if shas
            else []
        )
        return self._as_written({sha: tuple(found) for sha, *found in (line.split() for line in lines)})

    def existing(self, shas: Sequence[str]) -> list[str]:
        """Those SHAs whose commits the mirror has; a newly cloned mirror lacks commits that are on no branch."""
        if not shas:
            return []
        found = self._read("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=shas).splitlines()
        return [sha for sha, _, kind in (line.partition(" ") for line in found) if kind == "commit"]

    def messages(self, shas: Sequence[str]) -> dict[str, str]:
        """The full messages of commits."""
        if not shas:
            return {}
        words = ("log", "--no-walk=unsorted", "--no-show-signature", "-z", "--format=%H%x0a%B", "--stdin")
        found = self._read(*words, stdin=shas, undecodable="replace").split("\0")
        return {sha: message for sha, _, message in (entry.partition("\n") for entry in found if entry)}

    def heads(self, shas: Sequence[str]) -> list[str]:
        """Those commits that are not in the history of any other one."""
        return self._read("merge-base", "--independent", *shas).split() if shas else []

    def commit_times(self, new: Sequence[str], known: Sequence[str] = ()) -> list[tuple[str, datetime]]:
        """Commits as ``commits`` without ``since`` gives them, newest first, each with its commit time."""
        lines = self._read("log", "--format=%H %ct", *new, "--not", *known, "--").splitlines()
        return [(sha, commit_time(seconds)) for sha, _, seconds in (line.partition(" ") for line in lines)]

    def first_parents(self, sha: str, limit: int | None = None) -> list[str]:
        """The first-parent history that ends in ``sha``, oldest first; the newest ``limit`` of it."""
        bound = [f"--max-count={limit}"] if limit else []
        return self._read("rev-list", "--first-parent", *bound, sha, "--").split()[::-1]

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether ``newer`` has ``older`` in its history (or is it)."""
        done = self._git("merge-base", "--is-ancestor", older, newer, timeout=READ_SECONDS, check=False)
        if done.returncode not in (0, 1):
            raise RepositoryError(f"Git cannot relate {older} and {newer}: {done.error_text}")
        return done.returncode == 0

    def changed_files(self, sha: str) -> tuple[ChangedFile, ...]:
        """What a commit changed against its first parent; everything it holds, for a root commit.

        Nothing that is known, where the repository is shallow and its parent is not in the mirror.
        """
        if sha in boundary(self.path):
            return ()
        parent = self._read("rev-list", "--parents", "--max-count=1", sha, "--").split()[1:2]
        return self._changes(*(parent or ["--root"]), sha).files

    def renames(self, parent: str, sha: str) -> dict[str, str]:
        """Files that Git considers renamed between two commits: new path by old path."""
        found = self._changes(parent, sha)
        if found.given_up:
            _LOG.warning("%s, %s to %s: %s", without_password(self.url), parent[:12], sha[:12], found.given_up)
        return {file.old_path: file.path for file in found.files if file.status == "R" and file.old_path}

    def differing_files(self, parent: str, sha: str) -> tuple[ChangedFile, ...]:
        """What differs between two commits."""
        return self._changes(parent, sha).files

    def _changes(self, *between: str) -> Changes:
        try:
            return changes_between(self.path, *between)
        except ToolError as error:
            raise RepositoryError(f"The mirror of {without_password(self.url)} cannot answer: {error}") from error

    def tree(self, sha: str) -> list[TreeEntry]:
        """Every file, link and submodule of a commit. Raises RepositoryError for a tree that is none to check out."""
        listing = self._read("ls-tree", "-r", "-l", "-z", "--full-tree", sha)
        entries = [parse_entry(line) for line in listing.split("\0") if line]
        if fault := tree_fault(entries):
            raise RepositoryError(f"Commit {sha[:12]} cannot be read: {excerpt(fault, 300)}.")
        return entries

    def read(self, sha: str, path: str, limit: int = 1024 * 1024) -> bytes | None:
        """One regular file of a commit; None where it is absent, a link or a folder.

        Raises RepositoryError when it is larger than ``limit`` bytes.
        """
        listing = self._read("ls-tree", "-l", "-z", "--full-tree", sha, "--", path).rstrip("\0")
        entry = parse_entry(listing) if listing and "\0" not in listing else None
        if entry is None or not entry.is_file or entry.path != path:
            return None
        if entry.size is None:
            raise lacks_blob(self.path, entry.blob)
        if entry.size > limit:
            raise RepositoryError(
                f"{excerpt(path, 200)} at {sha[:12]} has {entry.size} bytes; {limit} are read at most."
            )
        return self._git("cat-file", "blob", entry.blob, timeout=READ_SECONDS, max_output=limit + 1).stdout

    def export(self, entries: Iterable[TreeEntry], destination: Path) -> None:
        """Write regular files of a tree below ``destination``; links and submodules are left out.

        Raises RepositoryError for a path that would leave ``destination``.
        """
        export_blobs(self.path, entries, destination)

    def link_targets(self, entries: Iterable[TreeEntry]) -> dict[str, str]:
        """Where the links among some entries of a tree lead, by path."""
        return link_targets(self.path, entries)

    @contextmanager
    def checkout(self, sha: str, scratch: Path) -> Iterator[Path]:
        """A clean copy of a commit's files in a folder of its own below ``scratch``, removed afterwards.

        No .git, and no link that leads out of it. Raises RepositoryError where it is larger than the limits.
        """
        entries = self.tree(sha)
        size = sum(entry.size or 0 for entry in entries)
        if size > CHECKOUT_BYTES or len(entries) > CHECKOUT_FILES:
            raise RepositoryError(
                f"Commit {sha[:12]} has {len(entries)} files and {size} bytes, beyond the limits of a checkout."
            )
        with unpacked(self.path, sha, entries, scratch) as folder:
            yield folder

    def _as_written(self, parents: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Parents as the commits themselves name them, for those whose parents Git hides."""
        return parents | {sha: written_parents(self.path, sha) for sha in boundary(self.path) & parents.keys()}

    def _read(self, *words: str, stdin: Sequence[str] | None = None, undecodable: str = "surrogateescape") -> str:
        lines = None if stdin is None else "".join(f"{line}\n" for line in stdin).encode()
        try:
            done = self._git(*words, timeout=READ_SECONDS, max_output=_ANSWER_BYTES, stdin=lines)
        except ToolError as error:
            raise RepositoryError(f"The mirror of {without_password(self.url)} cannot answer: {error}") from error
        if done.truncated:
            raise RepositoryError(
                f"The mirror of {without_password(self.url)} answers git {words[0]} with more than {_ANSWER_BYTES} bytes."
            )
        return done.stdout.decode("utf-8", undecodable)

    def _git(self, *words: str, timeout: float, **options: Any) -> process.Completed:
        return run_git(*words, timeout=timeout, folder=self.path, **options)
