"""A commit as Git describes it. Deliberately absent: running Git (resources/git/mirror.py)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """One file that a commit changed against its first parent (or, for a root commit, added)."""

    status: str
    """A added, M modified, D deleted, R renamed, T type changed."""
    path: str
    old_path: str | None = None
    """Where a renamed file was before."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; times are timezone-aware, in UTC."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    authored_at: datetime
    committed_at: datetime
    subject: str
    changed_files: tuple[ChangedFile, ...] = ()

    @property
    def first_parent(self) -> str | None:
        return self.parents[0] if self.parents else None


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One file of a commit's tree, as ``git ls-tree -r -l`` lists it."""

    mode: str
    """100644, 100755, 120000 (symbolic link) or 160000 (submodule)."""
    blob: str
    size: int | None
    """Bytes; None where the mirror does not hold the content."""
    path: str

    @property
    def is_file(self) -> bool:
        return self.mode in ("100644", "100755")

    @property
    def is_link(self) -> bool:
        return self.mode == "120000"

    @property
    def is_submodule(self) -> bool:
        return self.mode == "160000"


def tree_fault(entries: Iterable[TreeEntry]) -> str:
    """Why a tree is none that Git would check out, or nothing.

    Git stores and sends such trees all the same, and each program that reads one takes something else for it.
    """
    paths: set[str] = set()
    folders: set[str] = set()
    for entry in entries:
        if entry.path in paths:
            return f"it holds the path {entry.path!r} twice"
        paths.add(entry.path)
        folder = entry.path
        while (folder := folder.rpartition("/")[0]) and folder not in folders:
            folders.add(folder)
    if both := paths & folders:
        return f"it holds {min(both)!r} as a file and as a folder"
    forbidden = (path for path in paths if any(_is_forbidden(part) for part in path.split("/")))
    found = next(forbidden, None)
    return "" if found is None else f"it holds the path {found!r}, which Git never checks out"


def _is_forbidden(part: str) -> bool:
    return part in ("", ".", "..") or part.lower() == ".git"
