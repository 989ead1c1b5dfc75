"""What commands print into a pipe: rich would take it for a terminal of 80 columns, and markup for a style."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest

from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.triggers import GitEvent
from resources.history import History
from resources.history.git_events import record_git_events
from resources.history.pushes import Push, store_pushes

PROGRAM = Path(sys.executable).with_name("infraaudit")
NOW = datetime.now(UTC)
SHA = "a" * 40
LONG = f"{'long-' * 8}[bold]name"


@pytest.fixture
def installation(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / LONG
    home.mkdir()
    (home / "projects.yaml").write_text(
        f"projects: [{{name: shop, url: 'https://example.org/{LONG}', deploy_branch: '{LONG}', branches: ['{LONG}']}}]"
    )
    past = History(f"sqlite:///{home / 'history.db'}")
    past.migrate()
    past.record_commit("shop", Commit(SHA, "t", (), "Ada", "a@x", NOW, NOW, "s"))
    live = Deployment("shop", "production", SHA, f"container {LONG}", Outcome.DEPLOYED, NOW, NOW)
    past.record_deployment(live, [(SHA, NOW)])
    record_git_events(past, "shop", [GitEvent("deleted", LONG, SHA, "", "it is gone")])
    store_pushes(past, [Push("1", "shop", "github", LONG, "", SHA, NOW)])
    inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return inherited | {
        "INFRAAUDIT_HOME": str(home),
        "INFRAAUDIT_PROJECTS": str(home / "projects.yaml"),
        "INFRAAUDIT_ENGINE": "none",
        "INFRAAUDIT_TARGET": "none",
    }


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("projects list", ("shop", f"https://example.org/{LONG}", "production")),
        ("projects events --project shop", ("deleted", LONG, "it is gone")),
        ("webhook list --project shop", ("github", LONG, "waiting")),
        ("doctor", ("database", f"{LONG}/history.db")),
        ("status", ("production", SHA[:12], f"container {LONG}")),
        ("dora --project shop", ("production", "1 of 1", "0 s", "0%")),
    ],
)
def test_a_row_is_one_line_with_every_text_whole(
    command: str, shown: tuple[str, ...], installation: dict[str, str]
) -> None:
    done = subprocess.run([PROGRAM, *command.split()], env=installation, capture_output=True, text=True, timeout=60)
    assert any(all(text in line for text in shown) for line in done.stdout.splitlines()), done.stdout + done.stderr


def test_the_version_is_the_packages() -> None:
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"infraaudit {metadata.version('infraaudit')}\n")
