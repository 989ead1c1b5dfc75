"""A name means one commit, or none."""

import hashlib
from itertools import count

import pytest

from infraaudit_domain.errors import UnknownRevisionError
from tests.conftest import Repository


class Named:
    """Two commits under names that mean one of them, both, or neither."""

    def __init__(self, repository: Repository) -> None:
        self.git = repository.git
        self.old = repository.write({"a": "1"}, "old")
        self.new = repository.write({"a": "2"}, "new")
        self.repository = repository

    def means(self, name: str) -> str:
        return self.repository.mirror().resolve(name)

    def both(self, name: str) -> str:
        """What is said of a name that means two commits."""
        with pytest.raises(UnknownRevisionError, match="means two commits") as caught:
            self.means(name)
        return str(caught.value)

    def ref(self, name: str, sha: str) -> None:
        self.git("update-ref", name, sha)


@pytest.fixture
def named(repository: Repository) -> Named:
    return Named(repository)


def test_a_branch_a_tag_and_shas_mean_their_commit(named: Named) -> None:
    named.git("tag", "--annotate", "--message=x", "v1", named.old)
    named.git("tag", "--annotate", "--message=x", "v1-again", "v1")
    named.ref("refs/heads/release/1", named.old)
    for name in (
        "v1",
        "v1-again",
        "release/1",
        named.old,
        named.old.upper(),
        named.old[:7],
        named.old[:39],
        "main~1",
        "v1~0",
    ):
        assert named.means(name) == named.old, name
    for name in ("main", "HEAD", "HEAD~0", "refs/heads/main", named.new[:12]):
        assert named.means(name) == named.new, name


def test_a_tag_of_a_branchs_name_is_told_from_it(named: Named) -> None:
    named.ref("refs/tags/main", named.old)
    said = named.both("main")
    assert f"the branch main ({named.new[:12]}) and the tag main ({named.old[:12]})" in said
    assert named.means("refs/heads/main") == named.new
    assert named.means("refs/tags/main") == named.old
    assert named.repository.mirror().tip("main") == named.new
    named.ref("refs/tags/main", named.new)
    assert named.means("main") == named.new


@pytest.mark.parametrize("kind", ["heads", "tags"])
@pytest.mark.parametrize("digits", [7, 12, 39, 40])
def test_a_ref_named_like_another_commit_is_told_from_it(named: Named, kind: str, digits: int) -> None:
    name = named.old[:digits]
    named.ref(f"refs/{kind}/{name}", named.new)
    said = named.both(name)
    assert name in said and named.old[:12] in said and named.new[:12] in said
    mirror = named.repository.mirror()
    # What the pipeline itself asks by a full SHA is that commit.
    assert mirror.commit(named.old).subject == "old"
    assert mirror.commits([named.old]) == mirror.first_parents(named.old) == [named.old]


def test_a_ref_that_looks_like_a_sha_of_nothing_is_a_name(named: Named) -> None:
    for name in ("abcdef0", "0" * 40, "beef"):
        named.ref(f"refs/heads/{name}", named.old)
        assert named.means(name) == named.old


def test_names_that_spell_refs_are_names_too(named: Named) -> None:
    named.ref("refs/heads/refs/heads/main", named.old)
    assert "the branch refs/heads/main" in named.both("refs/heads/main")
    named.ref("refs/tags/HEAD", named.old)
    assert named.means("HEAD") == named.old


def test_a_beginning_that_two_commits_share_names_both(named: Named) -> None:
    one, other = twins(named.git("rev-parse", "main^{tree}"))
    for content in (one, other):
        sha = named.repository.write_object("commit", content)
        named.ref(f"refs/heads/on-{sha}", sha)
    shas = [hashlib.sha1(b"commit %d\0" % len(content) + content).hexdigest() for content in (one, other)]
    said = named.both(shas[0][:7])
    assert all(f"the commit {sha}" in said for sha in shas)
    assert named.means(shas[0][:20]) == shas[0]


def twins(tree: str) -> tuple[bytes, bytes]:
    """Two commits whose SHAs begin with the same seven digits."""
    seen: dict[str, bytes] = {}
    for number in count():
        who = b"A <a@b> %d +0000" % number
        content = b"tree %s\nauthor %s\ncommitter %s\n\ntwin\n" % (tree.encode(), who, who)
        digits = hashlib.sha1(b"commit %d\0" % len(content) + content).hexdigest()[:7]
        if digits in seen:
            return seen[digits], content
        seen[digits] = content
    raise AssertionError


def test_what_is_no_commit_has_no_name(named: Named) -> None:
    blob = named.git("rev-parse", "main:a")
    named.ref("refs/tags/blob", blob)
    named.ref("refs/tags/tree", named.git("rev-parse", "main^{tree}"))
    names = ["blob", "tree", blob, blob[:10], "refs/remotes/x", "FETCH_HEAD", "ORIG_HEAD", "config", named.old[:6]]
    names += [
        "-main",
        "--all",
        "main@{0}",
        "@{-1}",
        "main@{yesterday}",
        "main^{tree}",
        "main^{/new}",
        ":/new",
        "main:a",
    ]
    names += ["main..main", "^main", "main^-1", "main^!", "main^@", "main ", " main", "main\0", "main\nmain", "main\r"]
    names += ["main~99", "main~" + "9" * 30, "main^3", "~1", "m*", "m?in", "../../HEAD", "refs/heads/../heads/main"]
    names += ["x" * 200_000, "\ud800", "\udcff", "ma\\in", "", "refs/heads/", "/main", "main/", "main.lock"]
    mirror = named.repository.mirror()
    for name in names:
        with pytest.raises(UnknownRevisionError, match="has no commit"):
            mirror.resolve(name)
