"""A working tree read as a commit: what Git does not ignore, and theirs is left as it was."""

from pathlib import Path

import pytest

from infraaudit_domain.errors import RepositoryError, UnknownRevisionError
from resources.git.working_tree import Snapshot, deploy_tip, is_tracked, merge_base, snapshot, working_tree
from tests.conftest import Repository


def taken(folder: Path, into: Path, against: str | None = None) -> Snapshot:
    tree = working_tree(folder)
    tip = deploy_tip(tree, "main", against)
    return snapshot(tree, "main", merge_base(tree, tip) if tip else None, into)


def state_of(repository: Repository) -> tuple[str, ...]:
    index = (repository.path / ".git/index").read_bytes().hex()
    return (
        repository.git("for-each-ref"),
        repository.git("status", "--porcelain", "-z"),
        index,
        repository.git("count-objects"),
    )


def files(shot: Snapshot) -> dict[str, str]:
    tree = shot.mirror.tree(shot.sha)
    return {one.path: (shot.mirror.read(shot.sha, one.path) or b"").decode() for one in tree if one.is_file}


def test_staged_changed_untracked_and_deleted_files_count_and_ignored_ones_do_not(
    repository: Repository, tmp_path: Path
) -> None:
    base = repository.write({"a": "1", "gone": "1", "staged": "1", ".gitignore": "*.log\n", "deep/b": "1"}, "first")
    (repository.path / ".git/info/exclude").write_text("mine\n")
    for name, text in {"a": "2", "staged": "2", "new": "1", "x.log": "1", "mine": "1", "deep/c": "1"}.items():
        (repository.path / name).write_text(text)
    repository.git("add", "staged")
    (repository.path / "gone").unlink()
    before = state_of(repository)
    shot = taken(repository.path / "deep", tmp_path / "ours")
    assert files(shot) == {"a": "2", "staged": "2", "new": "1", ".gitignore": "*.log\n", "deep/b": "1", "deep/c": "1"}
    assert shot.base == base and shot.mirror.commit(shot.sha).parents == (base,)
    assert shot.mirror.first_parents(shot.sha) == [base, shot.sha]
    assert shot.mirror.branches() == {"main": shot.sha}
    assert state_of(repository) == before
    (repository.path / "new").unlink()
    assert "new" not in files(taken(repository.path, tmp_path / "ours")), "the same repository of ours serves again"


def test_tracked_files_that_git_would_ignore_and_those_outside_a_sparse_checkout_count(
    repository: Repository, tmp_path: Path
) -> None:
    repository.write({"a": "1", "kept.log": "1", "gone.log": "1", "b/x": "1", "c/y": "1"}, "first")
    repository.write({".gitignore": "*.log\n"}, "ignored later")
    (repository.path / "gone.log").unlink()
    (repository.path / "kept.log").write_text("2")
    expected = {"a": "1", "kept.log": "2", "b/x": "1", "c/y": "1", ".gitignore": "*.log\n"}
    assert files(taken(repository.path, tmp_path / "ours")) == expected
    repository.git("update-index", "--split-index")
    assert files(taken(repository.path, tmp_path / "ours")) == expected
    repository.git("update-index", "--no-split-index")
    for shared in (repository.path / ".git").glob("sharedindex.*"):
        shared.unlink()
    repository.git("checkout", "--quiet", "--", ".")
    for sparse in ("--no-sparse-index", "--sparse-index"):
        repository.git("sparse-checkout", "set", "--cone", sparse, "b")
        assert not (repository.path / "c").exists()
        (repository.path / "b/x").write_text("3")
        shot = taken(repository.path, tmp_path / "ours")
        assert files(shot) == expected | {"kept.log": "1", "gone.log": "1", "b/x": "3"}, sparse
        repository.git("checkout", "--quiet", "--", ".")


def test_it_stands_on_the_merge_base_whatever_is_committed_since(repository: Repository, tmp_path: Path) -> None:
    fork = repository.write({"a": "1"}, "fork")
    repository.git("checkout", "--quiet", "-b", "work")
    repository.write({"b": "1"}, "mine")
    repository.git("checkout", "--quiet", "main")
    newer = repository.write({"c": "1"}, "theirs")
    repository.git("checkout", "--quiet", "work")
    shot = taken(repository.path, tmp_path / "ours")
    assert (shot.base, set(files(shot))) == (fork, {"a", "b"})
    repository.git("update-ref", "refs/remotes/origin/main", "work")
    assert taken(repository.path, tmp_path / "ours").base == repository.git("rev-parse", "work"), "origin's comes first"
    repository.git("checkout", "--quiet", "--detach", newer)
    assert taken(repository.path, tmp_path / "ours", fork).base == fork


def test_a_linked_working_tree_and_one_without_a_commit(repository: Repository, tmp_path: Path) -> None:
    (repository.path / "a").write_text("1")
    shot = taken(repository.path, tmp_path / "ours")
    assert shot.base is None and shot.mirror.commit(shot.sha).parents == () and files(shot) == {"a": "1"}
    base = repository.write({"a": "1"}, "first")
    repository.git("worktree", "add", "--quiet", str(tmp_path / "linked"))
    (tmp_path / "linked/b").write_text("1")
    linked = taken(tmp_path / "linked", tmp_path / "of-linked")
    assert (linked.base, files(linked)) == (base, {"a": "1", "b": "1"})


def test_a_shallow_clone_is_read(repository: Repository, tmp_path: Path) -> None:
    for number in range(3):
        repository.write({"a": str(number)}, "next")
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.path}", str(clone))
    (clone / "b").write_text("1")
    shot = taken(clone, tmp_path / "ours")
    assert shot.base == repository.git("rev-parse", "HEAD") and shot.mirror.commit(shot.sha).parents == (shot.base,)
    assert files(shot) == {"a": "2", "b": "1"}


def test_nothing_that_their_configuration_names_is_run(repository: Repository, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    repository.write({"a": "1", ".gitattributes": "* filter=spy diff=spy\n"}, "first")
    for key in ("core.fsmonitor", "filter.spy.clean", "filter.spy.process", "diff.spy.textconv", "core.editor"):
        repository.git("config", key, f"touch {canary}; cat")
    hook = repository.path / ".git/hooks/post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)
    (repository.path / "a").write_text("2")
    canary.unlink(missing_ok=True)
    assert files(taken(repository.path, tmp_path / "ours"))["a"] == "2"
    assert not canary.exists()


def test_what_is_missing_is_named(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="is in no checkout"):
        working_tree(tmp_path)
    with pytest.raises(RepositoryError, match="is no folder"):
        working_tree(tmp_path / "nowhere")
    repository.write({"a": "1"}, "first")
    tree = working_tree(repository.path)
    for odd in ("nowhere", "--all", "main:a", ""):
        with pytest.raises(UnknownRevisionError, match="has no commit"):
            deploy_tip(tree, "main", odd)
    repository.git("checkout", "--quiet", "--orphan", "other")
    other = repository.write({"b": "1"}, "unrelated")
    with pytest.raises(RepositoryError, match="no commit in common"):
        merge_base(tree, repository.git("rev-parse", "main"))
    assert merge_base(tree, other) == other


def test_a_file_is_tracked_or_not(repository: Repository, tmp_path: Path) -> None:
    repository.write({"configs/projects.yaml": "", ".gitignore": "own.yaml"}, "first")
    (repository.path / "configs/own.yaml").touch()
    link = tmp_path / "link.yaml"
    link.symlink_to(repository.path / "configs/projects.yaml")
    assert is_tracked(repository.path / "configs/projects.yaml") and is_tracked(link)
    for name in ("configs/own.yaml", "configs/*.yaml", "gone/projects.yaml"):
        assert not is_tracked(repository.path / name)
    assert not is_tracked(tmp_path / "projects.yaml")
