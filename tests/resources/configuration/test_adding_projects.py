"""An entry that is added to the projects file: what is there stays, to the byte."""

from pathlib import Path

import pytest

from infraaudit_domain.errors import ConfigurationError
from resources.configuration.projects import add_entry, add_project, read_projects


def _file(folder: Path, text: str) -> Path:
    path = folder / "projects.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text", [None, "projects: []\n", "projects:\n- {name: a, url: x}\n", "# kept\nprojects:\n  - {name: a, url: x}\n"]
)
def test_adding_keeps_what_is_there(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "projects.yaml" if text is None else _file(tmp_path, text)
    before = len(read_projects(path)) if text else 0
    added = add_project(path, "new", "https://example.org/new.git", "trunk")
    assert added.deploy_branch == "trunk" and added.branches == ("trunk",)
    assert len(read_projects(path)) == before + 1
    assert ("# kept" in path.read_text()) == bool(text and "# kept" in text)
    with pytest.raises(ConfigurationError, match="two projects"):
        add_project(path, "new", "y")
    assert len(read_projects(path)) == before + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "projects: []  # none yet\n",
        "projects:\r\n- {name: a, url: x}\r\n",
        "\ufeffprojects:\n- {name: a, url: x}",
        "projects:\n- name: a\n  url: x\n  paths:\n    manifests:\n    - k8s\n\n# the end\n\n",
        "projects:\n    -   name: a\n        url: x\n",
    ],
)
def test_an_entry_is_appended_to_any_block_of_entries(tmp_path: Path, text: str) -> None:
    path = tmp_path / "projects.yaml"
    path.write_bytes(text.encode())
    before = [project.name for project in read_projects(path)]
    odd = {"name": "new", "url": "u", "paths": {"dockerfile": "[a]: {b} # c/\u00e9 'd' \"e\" *x &y !z"}}
    added = add_entry(path, odd)
    assert added.paths.dockerfile == odd["paths"]["dockerfile"]  # type: ignore[index]
    assert [project.name for project in read_projects(path)] == [*before, "new"]
    grown = path.read_bytes()
    assert grown.count(b"\r\n") in (0, grown.count(b"\n")), "lines end as they did"


@pytest.mark.parametrize(
    "text", ["projects: [{name: a, url: x}]\n", "projects:\n- {name: a, url: x}\n...\n", "projects: &a\n- {name: a, url: x}\nx: *a\n",
             "projects: [\n"]
)  # fmt: skip
def test_where_nothing_can_be_appended_the_entry_is_shown_and_the_file_stays(tmp_path: Path, text: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigurationError, match=r"Add this entry yourself:\n- name: new|no YAML"):
        add_entry(path, {"name": "new", "url": "u"})
    assert path.read_text() == text


def test_what_the_file_links_to_is_written_and_its_rights_stay(tmp_path: Path) -> None:
    real = _file(tmp_path, "projects: []\n")
    real.chmod(0o600)
    link = tmp_path / "link.yaml"
    link.symlink_to(real)
    add_entry(link, {"name": "new", "url": "u"})
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o600
    assert [project.name for project in read_projects(real)] == ["new"]
