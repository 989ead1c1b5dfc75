"""Every command that prints rows has the three formats, with --json as the short form of one of them."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infraaudit_assets.cli import app
from infraaudit_assets.commands.catalog import COMMANDS
from infraaudit_assets.commands.lazy import load
from infraaudit_assets.settings import settings

WITHOUT_ROWS = (
    "demo",
    "up",
    "page",
    "export",
    "serve",
    "watch",
    "dashboard",
    "projects example",
    "webhook test",
    "triage export",
)
"""They start something, or write a file or a document: they print no rows and no result."""


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One project of which nothing was deployed."""
    (tmp_path / "projects.yaml").write_text("projects: [{name: shop, url: https://example.org/shop.git}]")
    monkeypatch.setenv("INFRAAUDIT_PROJECTS", str(tmp_path / "projects.yaml"))
    monkeypatch.setenv("INFRAAUDIT_HOME", str(tmp_path))
    monkeypatch.delenv("INFRAAUDIT_DATABASE_URL", raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.stdout


def every_command() -> dict[str, Any]:
    commands: dict[str, Any] = {}
    for name, entry in COMMANDS.items():
        found = load(name, entry)
        commands |= {f"{name} {sub}": each for sub, each in getattr(found, "commands", {}).items()} or {name: found}
    return commands


def test_a_command_that_prints_rows_or_a_result_has_every_format() -> None:
    commands = every_command()
    assert set(WITHOUT_ROWS) <= commands.keys()
    for name in commands.keys() - set(WITHOUT_ROWS):
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert {"--format", "--json"} <= options, name


@pytest.mark.parametrize("words", [("status",), ("projects", "list")])
@pytest.mark.usefixtures("installation")
def test_the_formats_say_the_same(words: tuple[str, ...]) -> None:
    rows: list[dict[str, Any]] = json.loads(printed(*words, "--format", "json"))
    assert json.loads(printed(*words, "--json")) == rows and len(rows) == 1
    printed_rows = list(csv.DictReader(printed(*words, "--format", "csv").splitlines()))
    assert [list(row) for row in printed_rows] == [list(row) for row in rows]
    assert "shop" in printed(*words)
    assert "1 row" in [line.strip() for line in printed(*words).splitlines()]


@pytest.mark.usefixtures("installation")
def test_no_rows_have_their_columns_all_the_same() -> None:
    assert printed("dora", "--project", "shop", "--format", "csv").startswith("environment,days,attempts,")
    assert printed("projects", "events", "--project", "shop", "--format", "csv") == (
        "seen_at,kind,branch,before,after,reason\n"
    )
    assert printed("webhook", "list", "--project", "shop", "--format", "csv").rstrip().endswith(",state,reason")
    assert "0 rows" in printed("dora", "--project", "shop")
