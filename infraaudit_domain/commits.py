"""A commit as Git describes it. Deliberately absent: running Git (resources/git/mirror.py)."""

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
