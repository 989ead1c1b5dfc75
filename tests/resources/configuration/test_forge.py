"""The forge of a project's entry: off unless it is given, guessed where the URL says it, and at fault alone."""

from pathlib import Path

import pytest

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from resources.configuration.projects import load_projects, read_projects


def _file(folder: Path, text: str) -> Path:
    path = folder / "projects.yaml"
    path.write_text(text)
    return path


def test_a_forge_is_off_unless_it_is_given_and_guessed_where_the_url_says_it(tmp_path: Path) -> None:
    text = "projects: [{name: a, url: 'https://github.com/a/b'}, {name: b, url: 'git@gitlab.com:g/s.git', forge: {}},"
    text += " {name: c, url: 'https://github.com/a/c', forge: {requests: true}},"
    text += " {name: d, url: 'https://github.com/a/d', forge: {requests: true, comments: true}}]"
    off, guessed, asked, told = read_projects(_file(tmp_path, text))
    assert off.forge is None
    assert guessed.forge == Forge(ForgeKind.GITLAB, "https://gitlab.com/api/v4", "g/s")
    assert not guessed.forge.requests and asked.forge and asked.forge.requests
    assert not asked.forge.comments and told.forge and told.forge.comments


@pytest.mark.parametrize(
    ("url", "forge", "key"),
    [
        ("https://git.example.org/a/b", "{}", "projects[0].forge"),
        ("https://github.com/a/b", "{token: secret}", "projects[0].forge.token"),
        ("https://github.com/a/b", "{token_file: token}", "projects[0].forge.token_file"),
        ("https://github.com/a/b", "{kind: sourcehut}", "projects[0].forge.kind"),
        ("https://github.com/a/b", "{api: 'http://api.github.com'}", "projects[0].forge"),
        ("https://github.com/a/b", "{repository: ../..}", "projects[0].forge"),
        ("https://github.com/a/b", "{comments: true}", "projects[0].forge"),
    ],
)
def test_a_forge_that_is_wrong_is_named_and_the_project_keeps_the_rest(
    tmp_path: Path, url: str, forge: str, key: str
) -> None:
    path = _file(tmp_path, f"projects: [{{name: a, url: '{url}', forge: {forge}}}]")
    with pytest.raises(ConfigurationError) as caught:
        read_projects(path)
    assert [line.split(": ")[0].strip() for line in str(caught.value).splitlines()[1:]] == [key]
    (project,) = load_projects(path)
    assert project.fault and project.forge is None and project.url == url
