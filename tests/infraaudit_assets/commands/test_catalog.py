"""The catalogue of commands: its help lines equal those of the commands, and a command imports only what it needs."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from infraaudit_assets.cli import app
from infraaudit_assets.commands.catalog import COMMANDS
from infraaudit_assets.commands.lazy import load

_HEAVY = ("dagster", "kubernetes", "checkov", "starlette", "vl_convert", "pandas")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_line_of_the_help_is_the_first_of_the_command(name: str) -> None:
    command = load(name, COMMANDS[name])
    assert command.name == name
    assert " ".join(command.help.split("\n\n")[0].split()) == COMMANDS[name].help


def test_the_help_lists_every_command_in_its_panel() -> None:
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "400"}).stdout
    panels = list(dict.fromkeys(entry.panel for entry in COMMANDS.values()))
    assert sorted(panels, key=lambda panel: text.index(f"─ {panel} ─")) == panels
    assert all(f"{name} " in text and entry.help in text for name, entry in COMMANDS.items())


def test_a_command_that_is_misspelt_is_refused_with_the_nearest() -> None:
    done = CliRunner().invoke(app, ["finding"])
    assert done.exit_code == 2
    assert "findings" in done.output


@pytest.mark.parametrize("arguments", [["--help"], ["findings", "--help"], ["status", "--help"]])
def test_help_imports_no_heavy_library(arguments: list[str]) -> None:
    script = (
        "import sys; from infraaudit_assets.cli import app\n"
        f"try: app({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        "print('imported:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    imported = done.stdout.rpartition("imported:")[2].split()
    assert not [name for name in _HEAVY if name in imported]
