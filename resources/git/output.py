"""Parse the output of git. Deliberately absent: running it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from infraaudit_domain.commits import ChangedFile, Commit, TreeEntry
from infraaudit_domain.errors import excerpt

COMMIT_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%ct%x00%s"
# A day short of what datetime holds: a database may answer in a time zone of its own.
_LATEST = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())
_DIGITS = 20


def parse_commit(line: str, changed_files: tuple[ChangedFile, ...]) -> Commit:
    """One line of ``git show`` in COMMIT_FORMAT."""
    sha, tree, parents, name, email, authored, committed, subject = line.split("\0")
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author_name=excerpt(name, 200),
        author_email=excerpt(email, 200),
        authored_at=commit_time(authored),
        committed_at=commit_time(committed),
        subject=excerpt(subject, 500),
        changed_files=changed_files,
    )


def commit_time(seconds: str) -> datetime:
    """A date of a commit, which its author may have set to anything; where Git finds none, the epoch."""
    # Not a digit more than counts: Python refuses to read a number of thousands of them.
    digits = seconds.strip().lstrip("0")[:_DIGITS]
    return datetime.fromtimestamp(min(max(int(digits or 0), 0), _LATEST), UTC)


def parse_name_status(raw: str) -> Iterator[ChangedFile]:
    """What ``git diff-tree --name-status -z`` lists."""
    fields = iter(raw.split("\0")[:-1])
    for status in fields:
        first = next(fields)
        if status[0] in "RC":
            yield ChangedFile(status[0], next(fields), old_path=first)
        else:
            yield ChangedFile(status[0], first)


def parse_entry(line: str) -> TreeEntry:
    """One line of ``git ls-tree -r -l``."""
    description, _, path = line.partition("\t")
    mode, _kind, blob, size = description.split()
    # Git prints "-" for a submodule, and "BAD" for a file whose content a partial clone lacks.
    known = {"-": 0, "BAD": None}
    return TreeEntry(mode=mode, blob=blob, size=known[size] if size in known else int(size), path=path)


def named_by_head(listing: str) -> str | None:
    """The branch in what ``git ls-remote --symref`` says of HEAD; None where it is a commit, or there is none."""
    target = listing.partition("\t")[0]
    return target.removeprefix("ref: refs/heads/") if target.startswith("ref: refs/heads/") else None
