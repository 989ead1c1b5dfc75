"""Reading a repository that is anybody's: within bounds, without running anything, on real mirrors."""

import os
from pathlib import Path

import pytest

from infraaudit.repositories import discovery
from infraaudit.repositories.discovery import Discovery, discover
from infraaudit_domain.errors import ConfigurationError, RepositoryError
from infraaudit_domain.repositories.selection import Wanted
from tests.conftest import Repository
from tests.infraaudit_domain.repositories.test_selection import DOCKERFILE, WORKLOAD


def found(repository: Repository, branch: str | None = None) -> Discovery:
    scratch = repository.path.parent / "scratch"
    told = discover(repository.mirror(), scratch, Wanted(), branch)
    assert list(scratch.iterdir()) == [], "nothing of it stays"
    return told


def remarks(told: Discovery) -> dict[str, str]:
    return {one.path: one.remark for one in told.selection.found}


def test_the_head_of_the_default_branch_is_read(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "trunk")
    sha = repository.write({"Dockerfile": DOCKERFILE, "tests/test_a.py": "", "k8s/web.yaml": WORKLOAD}, "first")
    repository.git("branch", "main")
    told = found(repository)
    assert (told.branch, told.sha, told.files, told.unseen) == ("trunk", sha, 3, 0)
    assert told.selection.missing == ()


def test_a_head_that_names_no_branch(repository: Repository) -> None:
    sha = repository.write({"a": ""}, "first")
    repository.git("branch", "one")
    repository.git("branch", "two")
    repository.git("checkout", "--quiet", "--detach", sha)
    assert found(repository).branch == "main"
    repository.git("branch", "--quiet", "-D", "main")
    with pytest.raises(ConfigurationError, match="--branch.*one, two"):
        found(repository)
    assert found(repository, "two").sha == sha
    repository.git("symbolic-ref", "HEAD", "refs/heads/\u202eevil")
    repository.git("update-ref", "refs/heads/\u202eevil", sha)
    with pytest.raises(ConfigurationError, match="readable name"):
        found(repository)
    with pytest.raises(ConfigurationError, match="no branch 'three'"):
        found(repository, "three")


def test_a_repository_without_a_commit(repository: Repository) -> None:
    with pytest.raises(RepositoryError, match="push a commit"):
        found(repository)


def test_kustomizations_are_read_and_refused_ones_say_why(repository: Repository) -> None:
    repository.write(
        {
            "k8s/base/kustomization.yaml": "resources: [web.yaml]\n",
            "k8s/base/web.yaml": WORKLOAD,
            "k8s/live/kustomization.yaml": "resources: [../base]\n",
            "k8s/remote/kustomization.yaml": "resources: [https://example.org/x]\n",
            "k8s/bomb/kustomization.yaml": "a: &a [x]\nb: [*a, *a]\n",
            "k8s/list/kustomization.yaml": "[]\n",
            "k8s/out/kustomization.yaml": "resources: [../../../../etc]\n",
        },
        "first",
    )
    told = found(repository)
    assert {"k8s/base", "k8s/base/web.yaml"}.isdisjoint(remarks(told))
    assert "files of the commit" in remarks(told)["k8s/remote"]
    assert "aliases" in remarks(told)["k8s/bomb"] and "no mapping" in remarks(told)["k8s/list"]
    assert remarks(told)["k8s/live"].startswith("one of ")


def test_files_beyond_the_bounds_are_counted(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, str | None] = {f"deep/er/{number}.yaml": "a: 1\n" for number in range(8)}
    repository.write({**files, "Dockerfile": DOCKERFILE, "big.json": " " * 2000}, "first")
    monkeypatch.setattr(discovery, "FILE_BYTES", 1000)
    monkeypatch.setattr(discovery, "MOST_FILES", 5)
    told = found(repository)
    assert told.unseen == 1 + 4
    assert told.selection.paths["dockerfile"] == "Dockerfile", "what is nearest to the root is read first"


def test_a_tree_of_more_files_than_a_checkout_may_have_is_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write({"a": "", "b": "", "c": ""}, "first")
    monkeypatch.setattr(discovery, "CHECKOUT_FILES", 2)
    with pytest.raises(RepositoryError, match=r"3 files.*--branch"):
        found(repository)


def test_odd_names_and_links_reach_no_file_and_no_entry(repository: Repository) -> None:
    repository.write(
        {"a\nb/Dockerfile": DOCKERFILE, "[red]x/Dockerfile": DOCKERFILE, f"{'x' * 250}.yaml": WORKLOAD}, "first"
    )
    os.symlink("/etc/passwd", repository.path / "Dockerfile")
    (repository.path / os.fsdecode(b"\xff")).mkdir()
    (repository.path / os.fsdecode(b"\xff") / "Dockerfile").write_text(DOCKERFILE)
    repository.write({}, "second")
    told = found(repository)
    assert told.unseen == 2
    assert all(path.isprintable() for path in remarks(told))
    assert "link" in remarks(told)["Dockerfile"]
    assert told.selection.paths["dockerfile"] == "[red]x/Dockerfile"


def test_a_dockerfile_of_any_name_can_be_named(repository: Repository, tmp_path: Path) -> None:
    repository.write({"build/image.txt": "FROM scratch\nCOPY app /\n", "build/app": ""}, "first")
    told = discover(repository.mirror(), tmp_path / "scratch", Wanted("build/image.txt"))
    assert told.selection.paths["context"] == "build"
