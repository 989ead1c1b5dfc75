import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit_domain.errors import RepositoryError, UnknownRevisionError
from resources.git.mirror import Mirror
from resources.git.program import without_password
from tests.conftest import Repository


def test_a_commit_is_read_with_its_changes(repository: Repository) -> None:
    first = repository.write({"a.txt": "one\n" * 20, "dir/b.txt": "two"}, "first: é")
    second = repository.write({"a.txt": None, "c.txt": "one\n" * 20, "dir/b.txt": "three"}, "second")
    mirror = repository.mirror()
    commit = mirror.commit(second)
    assert (commit.sha, commit.parents, commit.subject, commit.author_name) == (second, (first,), "second", "Ada")
    assert {(c.status, c.path, c.old_path) for c in commit.changed_files} == {
        ("R", "c.txt", "a.txt"),
        ("M", "dir/b.txt", None),
    }
    root = mirror.commit(first)
    assert root.first_parent is None and root.subject == "first: é"
    assert {(c.status, c.path) for c in root.changed_files} == {("A", "a.txt"), ("A", "dir/b.txt")}
    assert mirror.renames(first, second) == {"a.txt": "c.txt"}


def test_new_commits_come_parents_first_and_merges_are_included(repository: Repository) -> None:
    base = repository.write({"a": "1"}, "base")
    repository.git("switch", "--quiet", "-c", "side")
    side = repository.write({"b": "1"}, "side")
    repository.git("switch", "--quiet", "main")
    main = repository.write({"a": "2"}, "main")
    repository.git("merge", "--quiet", "--no-edit", "side")
    merge = repository.git("rev-parse", "HEAD")
    mirror = repository.mirror()
    new = mirror.commits([merge], [base])
    assert set(new) == {side, main, merge} and new[-1] == merge
    assert mirror.first_parents(merge) == [base, main, merge]
    assert mirror.is_ancestor(side, merge) and not mirror.is_ancestor(merge, side)
    assert mirror.branches() == {"main": merge, "side": side}


@pytest.mark.parametrize("revision", ["", "--upload-pack=touch /tmp/x", "nope", "main\nmain", "0" * 40, "HEAD:a"])
def test_what_is_no_commit_is_refused(repository: Repository, revision: str) -> None:
    repository.write({"a": "1"}, "base")
    with pytest.raises(UnknownRevisionError, match="no commit"):
        repository.mirror().resolve(revision)


def test_a_checkout_is_clean_and_holds_no_way_out(repository: Repository, tmp_path: Path) -> None:
    (repository.path / "out").symlink_to("/etc/passwd")
    (repository.path / "up").symlink_to("../../..")
    (repository.path / "in").symlink_to("a")
    sha = repository.write({"a": "1", "dir/run.sh": "#!/bin/sh"}, "links")
    with repository.mirror().checkout(sha, tmp_path / "scratch") as folder:
        assert {str(p.relative_to(folder)) for p in folder.rglob("*")} == {"a", "in", "dir", "dir/run.sh"}
        assert (folder / "in").read_text() == "1"
    assert not folder.exists()


def test_what_goes_wrong_in_a_checkout_is_reported_as_it_is(repository: Repository, tmp_path: Path) -> None:
    sha, mirror = repository.write({"a": "1"}, "base"), repository.mirror()
    with pytest.raises(FileNotFoundError), mirror.checkout(sha, tmp_path / "scratch") as folder:
        (folder / "b").read_text()
    assert not folder.exists()


def test_export_writes_files_and_no_links(repository: Repository, tmp_path: Path) -> None:
    (repository.path / "out").symlink_to("/etc/passwd")
    run = repository.path / "run.sh"
    run.write_text("#!/bin/sh\n")
    run.chmod(0o755)
    sha = repository.write({"dir/a b.txt": "1\n", "empty": ""}, "files")
    mirror = repository.mirror()
    mirror.export(mirror.tree(sha), tmp_path / "export")
    assert {str(p.relative_to(tmp_path / "export")) for p in (tmp_path / "export").rglob("*") if p.is_file()} == {
        "dir/a b.txt",
        "empty",
        "run.sh",
    }
    assert (tmp_path / "export/dir/a b.txt").read_text() == "1\n"
    assert os.access(tmp_path / "export/run.sh", os.X_OK)


def test_read_takes_regular_files_only(repository: Repository) -> None:
    (repository.path / "link").symlink_to("/etc/passwd")
    sha = repository.write({"a": "12345", "dir/b": "2"}, "files")
    mirror = repository.mirror()
    assert mirror.read(sha, "a") == b"12345"
    assert (
        mirror.read(sha, "link") is mirror.read(sha, "dir") is mirror.read(sha, "none") is mirror.read(sha, "*") is None
    )
    with pytest.raises(RepositoryError, match="5 bytes"):
        mirror.read(sha, "a", limit=4)


def test_commits_since_are_found_behind_older_ones(repository: Repository) -> None:
    shas = [repository.write({"a": str(n)}, str(n)) for n in range(2)]
    repository.git("commit", "--quiet", "--allow-empty", "--message", "young")
    young = repository.git("rev-parse", "HEAD")
    repository._clock -= 100_000
    old = repository.write({"a": "9"}, "a clock that went wrong")
    mirror = repository.mirror()
    since = mirror.commit(young).committed_at
    assert mirror.commits([old]) == [*shas, young, old]
    assert mirror.commits([old], since=since) == [young]


def test_content_that_a_mirror_does_not_hold_is_distinguished(repository: Repository, tmp_path: Path) -> None:
    sha = repository.write({"a": "1", "b": "2"}, "files")
    mirror = repository.mirror()
    blob = {entry.path: entry.blob for entry in mirror.tree(sha)}["b"]
    repository.lose(mirror, blob)
    assert {entry.path: entry.size for entry in mirror.tree(sha)} == {"a": 1, "b": None}
    with pytest.raises(RepositoryError, match=f"lacks blob {blob}"):
        mirror.read(sha, "b")


def test_a_fetch_follows_a_force_push_and_keeps_what_was_there(repository: Repository) -> None:
    repository.write({"a": "1"}, "base")
    lost = repository.write({"a": "2"}, "lost")
    mirror = repository.mirror()
    repository.git("reset", "--quiet", "--hard", "HEAD^")
    new = repository.write({"a": "3"}, "new")
    mirror.fetch()
    assert mirror.branches() == {"main": new}
    assert mirror.commit(lost).subject == "lost"


def test_a_repository_that_is_gone_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="git clone ended .* Check its url"):
        Mirror(str(tmp_path / "gone"), tmp_path / "mirror").fetch()
    assert not (tmp_path / "mirror").exists()


def test_a_hook_of_the_repository_never_runs(repository: Repository, tmp_path: Path) -> None:
    hook = repository.path / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    sha = repository.write({"a": "1"}, "base")
    with repository.mirror().checkout(sha, tmp_path / "scratch"):
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("300000000000 +0000", datetime(9999, 12, 30, tzinfo=UTC)),
        ("99999999999999999999 +0000", datetime(9999, 12, 30, tzinfo=UTC)),
        ("9" * 5000 + " +0000", datetime(9999, 12, 30, tzinfo=UTC)),
        ("0" * 30 + "5 +0000", datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)),
        ("-5 +0000", datetime(1970, 1, 1, tzinfo=UTC)),
        ("", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_date_that_is_none_is_the_nearest_that_is_one(repository: Repository, date: str, expected: datetime) -> None:
    first = repository.write({"a": "1"}, "base")
    odd = repository.write_odd(date)
    mirror = repository.mirror()
    commit = mirror.commit(odd)
    assert (commit.authored_at, commit.committed_at) == (expected, expected)
    assert mirror.commit_times([odd], [first]) == [(odd, expected)]


def test_a_branch_may_have_in_its_name_what_python_takes_for_the_end_of_a_line(repository: Repository) -> None:
    sha = repository.write({"a": "1"}, "base")
    for name in ("a\u2028b", "a\u0085b", "a\u2029"):
        repository.git("branch", name)
    assert repository.mirror().branches() == dict.fromkeys(("main", "a\u2028b", "a\u0085b", "a\u2029"), sha)


def test_what_is_no_utf8_is_read_as_text_and_files_keep_their_names(repository: Repository) -> None:
    sha = repository.write({"f\udcfc": "1"}, "base")
    odd = repository.write_odd(author=b"J\xfcrgen", message=b"f\xfcr\n\n[skip ci] \xfc")
    for name in ("f\udcfc", "f\udcfd"):
        repository.git("branch", name)
    mirror = repository.mirror()
    commit = mirror.commit(odd)
    assert (commit.author_name, commit.subject) == ("J\ufffdrgen", "f\ufffdr")
    assert mirror.messages([odd]) == {odd: "f\ufffdr\n\n[skip ci] \ufffd\n"}
    assert mirror.branches() == {"main": odd, "f\\xfc": odd, "f\\xfd": odd}
    (changed,) = mirror.commit(sha).changed_files
    assert mirror.read(odd, changed.path) == b"1"
    with pytest.raises(RepositoryError, match="^f\ufffd at "):
        mirror.read(odd, changed.path, limit=0)


def test_the_default_branch_is_what_head_names_now(repository: Repository) -> None:
    mirror = Mirror(str(repository.path), repository.path / "no mirror is needed")
    assert mirror.default_branch() is None, "a repository without a commit"
    sha = repository.write({"a": ""}, "first")
    assert mirror.default_branch() == "main"
    repository.git("checkout", "--quiet", "-b", "feature/x")
    assert mirror.default_branch() == "feature/x"
    repository.git("checkout", "--quiet", "--detach", sha)
    assert mirror.default_branch() is None
    with pytest.raises(RepositoryError, match="HEAD"):
        Mirror(str(repository.path / "nowhere"), repository.path).default_branch()


@pytest.mark.parametrize(
    "url", ["https://ada:pass@example.org/a", "https://ada:p@ss@example.org/a", "ssh://ada@example.org/a"]
)
def test_no_part_of_a_password_is_shown(url: str) -> None:
    assert without_password(url).endswith("://example.org/a")
