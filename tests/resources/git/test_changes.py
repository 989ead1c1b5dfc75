"""Files that were moved and edited are found however many they are; what is given up is given up in time, and said."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infraaudit_domain.errors import RepositoryError, ToolError
from resources.git import changes
from resources.git.changes import changes_between
from tests.conftest import Repository


def text(number: int) -> str:
    return "".join(f"line {line} of file {number}\n" for line in range(10))


def moved(repository: Repository, count: int, edit: str, name: Callable[[int], str]) -> tuple[str, str]:
    """Two commits, between which so many files are moved from old/ to new/, with an edit."""
    before = repository.write({f"old/{name(n)}": text(n) for n in range(count)}, "before")
    gone: dict[str, str | None] = {f"old/{name(n)}": None for n in range(count)}
    after = repository.write(gone | {f"new/{name(n)}": text(n) + edit for n in range(count)}, "after")
    return before, after


@pytest.mark.slow
@pytest.mark.parametrize("name", [lambda n: f"{n}.tf", lambda n: f"{n}/main.tf"], ids=["names", "one name"])
def test_a_thousand_and_one_files_moved_and_edited_are_found(
    repository: Repository, name: Callable[[int], str]
) -> None:
    before, after = moved(repository, 1001, "edited\n", name)
    mirror = repository.mirror()
    expected = {f"old/{name(n)}": f"new/{name(n)}" for n in range(1001)}
    assert mirror.renames(before, after) == expected
    assert {(file.status, file.old_path) for file in mirror.commit(after).changed_files} == {("R", o) for o in expected}


@pytest.mark.parametrize(("limit", "value"), [("SIMILARITY_SECONDS", 0.05), ("SIMILARITY_BYTES", 3_000_000)])
def test_beyond_the_limits_what_moved_unchanged_is_found_and_the_rest_is_said(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, limit: str, value: float
) -> None:
    repository.write({"old/same.tf": "same\n", "old/same2.tf": "same too\n"}, "same")
    before, _ = moved(repository, 1001, "edited\n", lambda n: f"{n}/main.tf")
    same = {"old/same.tf": None, "old/same2.tf": None, "new/same.tf": "same\n", "new/same2.tf": "same too\n"}
    after = repository.write(same, "moved too")
    monkeypatch.setattr(changes, limit, value)
    mirror = repository.mirror()
    found = changes_between(mirror.path, before, after)
    assert "moved and edited were not looked for" in found.given_up
    assert mirror.renames(before, after) == {"old/same.tf": "new/same.tf", "old/same2.tf": "new/same2.tf"}
    assert "moved and edited were not looked for" in caplog.text


def test_commits_that_cannot_be_read_are_no_give_up(repository: Repository) -> None:
    sha = repository.write({"a": "1"}, "base")
    mirror = repository.mirror()
    with pytest.raises(RepositoryError, match="0000000"):
        mirror.renames("0" * 39 + "1", sha)
    with pytest.raises(ToolError):
        changes_between(Path(mirror.path), "nope", sha)


@pytest.mark.long
def test_a_hundred_thousand_files_end_in_time(repository: Repository) -> None:
    who = "committer A <a@b> 1 +0000\ndata 0\n"
    sides = (("old", ""), ("new", "edited\n"))
    blobs = [f"M 100644 inline {side}/{n}/main.tf\ndata {len(text(n) + edit)}\n{text(n)}{edit}\n"
             for side, edit in sides for n in range(100_000)]  # fmt: skip
    first, second = "".join(blobs[:100_000]), "".join(blobs[100_000:])
    stream = f"commit refs/heads/main\n{who}{first}\ncommit refs/heads/main\n{who}D old\n{second}\n"
    words = ["git", "-C", str(repository.path), "fast-import", "--quiet"]
    subprocess.run(words, input=stream.encode(), check=True)
    after = repository.git("rev-parse", "main")
    mirror, began = repository.mirror(), time.monotonic()
    found = changes_between(mirror.path, repository.git("rev-parse", "main~1"), after)
    assert time.monotonic() - began < 120
    assert len(found.files) in (100_000, 200_000) and (len(found.files) == 100_000 or found.given_up)
