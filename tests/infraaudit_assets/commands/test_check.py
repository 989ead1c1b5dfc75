"""By which entry of the projects file a working tree is checked, and what is said of a file or an entry that is broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infraaudit_assets.commands.check import _project_of
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from resources.git.working_tree import WorkingTree, working_tree
from tests.conftest import Repository

URL = "https://example.org/shop.git"


@pytest.fixture
def tree(repository: Repository) -> WorkingTree:
    repository.git("remote", "add", "origin", "https://ada:secret@example.org/shop")
    repository.write({"a": "1"}, "a commit")
    return working_tree(repository.path)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that the command is called in, with a configs folder, and no setting."""
    (tmp_path / "elsewhere/configs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("INFRAAUDIT_PROJECTS", raising=False)
    settings.cache_clear()
    yield tmp_path / "elsewhere"
    settings.cache_clear()


def test_a_project_is_found_by_the_origin_beside_others_that_are_broken(tree: WorkingTree, elsewhere: Path) -> None:
    listed = (
        f"projects:\n- {{name: bank, url: /x, brunches: [a]}}\n- {{name: shop, url: '{URL}', deploy_branch: live}}\n"
    )
    (elsewhere / "configs/projects.yaml").write_text(listed)
    found = _project_of(tree, None)
    assert (found.name, found.deploy_branch) == ("shop", "live")


def test_the_broken_entry_of_this_repository_is_said_to_be_broken(tree: WorkingTree, elsewhere: Path) -> None:
    (elsewhere / "configs/projects.yaml").write_text(f"projects: [{{name: shop, url: '{URL}', brunches: [live]}}]")
    with pytest.raises(ConfigurationError, match="brunches"):
        _project_of(tree, None)


@pytest.mark.parametrize(("text", "word"), [("projects: {", "yaml"), (None, "There is no projects file")])
def test_a_projects_file_that_was_asked_for_must_be_readable_and_another_need_not(
    tree: WorkingTree, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, word: str
) -> None:
    file = elsewhere / "configs/projects.yaml"
    if text is not None:
        file.write_text(text)
    assert _project_of(tree, None).name == tree.folder.name, "another program's, perhaps"
    monkeypatch.setenv("INFRAAUDIT_PROJECTS", str(file))
    settings.cache_clear()
    with pytest.raises(ConfigurationError, match=word):
        _project_of(tree, None)
