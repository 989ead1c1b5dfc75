"""New commits since the last look, over real repositories: none is lost, whatever happens to branches."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infraaudit.intake import new_commits
from infraaudit.intake.new_commits import Cursor, Look, look, reasons_to_skip, unseen
from infraaudit_domain.projects import Project
from infraaudit_domain.triggers import frontier, skip_word
from resources.git.mirror import Mirror
from tests.conftest import Repository

PROJECT = Project("shop", "", branches=("main", "feature/*"))


class Looking:
    """Looks again and again, as the sensor does; ``recorded`` are the commits that had a run."""

    def __init__(self, mirror: Mirror, project: Project = PROJECT) -> None:
        self.mirror, self.project = mirror, project
        self.cursor, self.taken = Cursor(), list[str]()

    def look(self) -> Look:
        self.mirror.fetch()
        found = look(self.mirror, self.project, self.cursor, lambda: self.taken)
        self.cursor = Cursor.parse(str(found.cursor))
        self.taken += found.new
        return found

    def new(self) -> list[str]:
        return list(self.look().new)


def grow(repository: Repository, number: int, text: str = "") -> list[str]:
    return [repository.write({f"f{text}": f"{n}{text}"}, f"{text} {n}") for n in range(number)]


@pytest.fixture
def looking(repository: Repository) -> Looking:
    repository.write({"a": "1"}, "first")
    return Looking(repository.mirror())


def test_the_first_look_takes_the_heads_and_later_ones_what_is_new(repository: Repository, looking: Looking) -> None:
    grow(repository, 3)
    repository.git("branch", "feature/a")
    head = repository.git("rev-parse", "HEAD")
    assert looking.new() == [head]
    assert looking.new() == []
    assert looking.new() + looking.new() == []
    more = grow(repository, 2, "more")
    assert looking.new() == more
    assert looking.cursor.tips == {"main": more[-1], "feature/a": head}


def test_a_first_look_that_was_interrupted_is_taken_up(repository: Repository, looking: Looking) -> None:
    grow(repository, 3)
    first = looking.new()
    more = grow(repository, 4, "more")
    looking.mirror.fetch()
    found = look(looking.mirror, PROJECT, Cursor(), lambda: [], begun=lambda: [*first, "f" * 40])
    assert list(found.new) == [*first, *more]


@pytest.mark.parametrize("number", [0, 2])
def test_the_first_look_takes_as_many_as_are_configured(repository: Repository, number: int) -> None:
    commits = grow(repository, 5)
    project = Project("shop", "", first_commits=number)
    assert Looking(repository.mirror(), project).new() == (commits[-number:] if number else commits)


def test_a_commit_on_two_branches_is_found_once_and_merges_too(repository: Repository, looking: Looking) -> None:
    looking.new()
    repository.git("switch", "--quiet", "-c", "feature/a")
    side = grow(repository, 2, "side")
    repository.git("switch", "--quiet", "main")
    main = grow(repository, 1, "main")
    repository.git("merge", "--quiet", "--no-edit", "feature/a")
    merge = repository.git("rev-parse", "HEAD")
    found = looking.look()
    assert sorted(found.new) == sorted([*side, *main, merge]) and set(found.new.values()) == {"main"}
    repository.git("switch", "--quiet", "feature/a")
    repository.git("merge", "--quiet", "main")
    assert looking.new() == []


def test_a_force_push_is_recorded_and_what_is_new_is_found(repository: Repository, looking: Looking) -> None:
    old = grow(repository, 3)[-1]
    looking.new()
    repository.git("reset", "--quiet", "--hard", "HEAD~2")
    new = grow(repository, 2, "rebased")
    found = looking.look()
    assert list(found.new) == new
    assert [(event.kind, event.branch, event.before, event.after) for event in found.events] == [
        ("forced", "main", old, new[-1])
    ]
    assert looking.look().events == []


def test_a_force_push_is_followed_by_a_mirror_that_was_made_anew(repository: Repository, looking: Looking) -> None:
    grow(repository, 3)
    looking.new()
    known = grow(repository, 2, "known")
    looking.new()
    repository.git("reset", "--quiet", "--hard", "HEAD~2")
    new = grow(repository, 2, "rebased")
    repository.git("update-ref", "-d", "ORIG_HEAD")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "--quiet", "--prune=now")
    shutil.rmtree(looking.mirror.path)
    found = looking.look()
    assert list(found.new) == new and [event.kind for event in found.events] == ["forced"]
    assert known[-1] not in found.cursor.tips.values()


def test_a_deleted_branch_that_comes_back_is_not_run_again(repository: Repository, looking: Looking) -> None:
    repository.git("switch", "--quiet", "-c", "feature/a")
    grow(repository, 3, "old")
    looking.new()
    tip = repository.git("rev-parse", "HEAD")
    repository.git("switch", "--quiet", "main")
    repository.git("branch", "-D", "feature/a")
    assert [(e.kind, e.before) for e in looking.look().events] == [("deleted", tip)]
    assert looking.look().events == []
    repository.git("switch", "--quiet", "-c", "feature/a", tip)
    assert (looking.look().new, looking.cursor.gone) == ({}, {})
    more = grow(repository, 1, "more")
    assert looking.new() == more


def test_a_new_branch_is_taken_whole(repository: Repository, looking: Looking) -> None:
    looking.new()
    repository.git("switch", "--quiet", "-c", "feature/new")
    assert looking.new() == []
    commits = grow(repository, 3)
    assert looking.new() == commits
    repository.git("switch", "--quiet", "-c", "not-watched")
    grow(repository, 1, "x")
    assert looking.new() == []


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(batch=st.integers(1, 7), shape=st.lists(st.integers(0, 3), min_size=1, max_size=18))
def test_long_pushes_are_taken_in_batches_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory, batch: int, shape: Sequence[int]
) -> None:
    """Histories of up to four lines that are merged now and then, taken some commits at a time."""
    repository = Repository(tmp_path_factory.mktemp("shape") / "repository")
    repository.write({"a": "1"}, "first")
    looking = Looking(repository.mirror())
    looking.new()
    for number, line in enumerate(shape):
        if line:
            repository.git(
                "switch", "--quiet", "-C", f"line{line}", f"line{line}" if _has(repository, line) else "main"
            )
            repository.write({f"line{line}": str(number)}, f"{number} on {line}")
            repository.git("switch", "--quiet", "main")
            if number % 3 == 0:
                repository.git("merge", "--quiet", "--no-edit", f"line{line}")
        else:
            repository.write({"trunk": str(number)}, f"{number} on main")
    everything = set(repository.git("rev-list", "main").split())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(new_commits, "BATCH", batch)
        while found := looking.new():
            assert len(found) <= batch and len(looking.taken) <= len(everything)
    assert sorted(looking.taken) == sorted(everything)
    assert looking.cursor.tips == {"main": repository.git("rev-parse", "main")}
    order = {sha: position for position, sha in enumerate(looking.taken)}
    for sha, parents in looking.mirror.lineage(["main"]).items():
        assert all(order[parent] < order[sha] for parent in parents)


def _has(repository: Repository, line: int) -> bool:
    return f"line{line}" in repository.git("branch", "--format=%(refname:short)").split()


def test_a_frontier_excludes_all_but_what_remains() -> None:
    assert frontier({"d": ("b", "c"), "c": ("a",)}) == ("b", "a")


def test_a_tip_alone_is_compared_with_what_had_a_run(repository: Repository) -> None:
    commits = grow(repository, 5)
    mirror = repository.mirror()
    assert unseen(mirror, PROJECT, commits[-1], []) == commits[-1:]
    assert unseen(mirror, PROJECT, commits[-1], [commits[1], "f" * 40]) == commits[2:]


@pytest.mark.parametrize(
    ("message", "skipped"),
    [
        ("Typo [skip ci]", True),
        ("Typo\n\nlong\n[CI Skip]\n", True),
        ("[no ci]", True),
        ("skip ci", False),
        ("[ci]", False),
    ],
)
def test_a_message_may_ask_for_no_run(repository: Repository, message: str, skipped: bool) -> None:
    sha = repository.write({"a": "1"}, message)
    assert bool(skip_word(message)) is skipped
    assert list(reasons_to_skip(repository.mirror(), PROJECT, [sha])) == ([sha] if skipped else [])


@pytest.mark.parametrize(
    ("only", "ignore", "files", "skipped"),
    [
        ((), ("docs/", "*.md"), ["docs/a/b.txt", "README.md"], True),
        ((), ("docs/", "*.md"), ["docs/a.txt", "src/a.py"], False),
        (("src/", "docker/"), (), ["src/a.py", "README.md"], False),
        (("src/", "docker/"), (), ["README.md"], True),
        (("src/",), ("*.md",), ["src/README.md"], True),
        (("src/",), ("*.md", "!src/keep.md"), ["src/keep.md"], False),
    ],
)
def test_paths_that_start_no_run(
    repository: Repository, only: tuple[str, ...], ignore: tuple[str, ...], files: list[str], skipped: bool
) -> None:
    repository.write({"first": "1"}, "first")
    sha = repository.write(dict.fromkeys(files, "changed"), "change")
    empty = repository.write({}, "nothing changed")
    project = Project("shop", "", paths_only=only, paths_ignore=ignore)
    assert list(reasons_to_skip(repository.mirror(), project, [sha, empty])) == ([sha] if skipped else [])


def test_a_file_of_one_project_stays_out_of_another(tmp_path: Path) -> None:
    shop, other = Repository(tmp_path / "shop"), Repository(tmp_path / "other")
    shop.write({"a": "1"}, "shop")
    foreign = other.write({"b": "1"}, "other")
    assert shop.mirror().existing([foreign]) == []


def test_a_branch_that_is_no_utf8_has_its_commits_taken_and_is_the_one_that_an_old_cursor_holds(
    repository: Repository, looking: Looking
) -> None:
    first = looking.new()
    looking.cursor = Cursor.parse(json.dumps({"tips": {"main": first[0], "feature/f\udcfc": first[0]}}))
    repository.git("switch", "--quiet", "--create", "feature/f\udcfc")
    (sha,) = grow(repository, 1)
    found = looking.look()
    assert (found.new, found.events) == ({sha: "feature/f\\xfc"}, [])
