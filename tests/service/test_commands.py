"""`infraaudit page` and `infraaudit serve`, as they are started."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infraaudit_assets.cli import app
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError, HistoryError
from infraaudit_domain.projects import Project
from resources.history import History
from resources.history.decisions.rejections import rejected
from tests.conftest import Repository, free_port
from tests.service.conftest import SHAS


@pytest.fixture
def installation(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    listed = tmp_path / "projects.yaml"
    listed.write_text("projects:\n  - {name: shop, url: /nowhere}\n  - {name: bank, url: /nowhere}\n")
    history.record_project(Project("bank", "/nowhere"))
    for name, value in {"HOME": tmp_path, "PROJECTS": listed, "DATABASE_URL": history.url}.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def page(*words: str) -> Result:
    return CliRunner().invoke(app, ["page", *words])


def test_the_page_is_written_as_one_file(installation: Path) -> None:
    written = installation / "evidence.html"
    done = page("--project", "shop", "--output", str(written))
    assert done.exit_code == 0 and done.stdout == f"{SHAS[3][:12]}: {written}\n"
    text = written.read_text()
    assert f"shop at {SHAS[3][:7]}" in text and 'href="/' not in text and "<script" not in text


def test_a_project_without_a_scan_says_what_to_run(installation: Path) -> None:
    done = page("--project", "bank")
    assert isinstance(done.exception, HistoryError)
    assert "infraaudit scan --project bank --all" in str(done.exception)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("192.0.2.1", True)])
def test_serving_others_without_a_token_is_warned_of(installation: Path, host: str, warned: bool) -> None:
    # 192.0.2.1 is no address of this machine: the service warns, and cannot listen there.
    port = str(free_port())
    command = [str(Path(sys.executable).parent / "infraaudit"), "serve", "--host", host, "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        printed = process.stdout.readline()
        while "The audit page" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
    assert ("INFRAAUDIT_SERVICE_TOKENS" in printed) is warned
    assert f"http://{host}:{port}" in printed


def test_an_interrupt_ends_the_service_while_dagster_does_not_answer(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        monkeypatch.setenv("INFRAAUDIT_DAGSTER_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [str(Path(sys.executable).parent / "infraaudit"), "serve", "--port", str(free_port())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            asked, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            try:
                printed, _ = process.communicate(timeout=10)
            finally:
                process.kill()
            asked.close()
    assert "Traceback" not in printed and "(Ctrl-C stops it)" in printed


def test_dora_of_one_environment_and_window(installation: Path) -> None:
    def dora(*words: str) -> Result:
        return CliRunner().invoke(app, ["dora", "--project", "shop", *words])

    measured = json.loads(dora("--environment", "production", "--days", "7", "--json").stdout)
    (said,) = measured
    assert said["environment"] == "production"
    # Two of three attempts became healthy; each took ten minutes, and the next healthy one came two hours after the failure.
    assert (said["days"], said["deployed"], said["attempts"], said["lead_seconds"]) == (7, 2, 3, 600)
    assert (said["restore_seconds"], said["incident_open"]) == (2 * 3600, False)
    refused = dora("--environment", "staging")
    assert isinstance(refused.exception, ConfigurationError) and "never deployed to staging" in str(refused.exception)


@pytest.fixture
def repository_of_shop(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A project with a repository, and the history of the service's tests."""
    made = Repository(tmp_path / "shop")
    (tmp_path / "projects.yaml").write_text(f"projects: [{{name: shop, url: {made.path}}}]")
    for name, value in {"HOME": tmp_path, "PROJECTS": tmp_path / "projects.yaml", "DATABASE_URL": history.url}.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    yield made
    settings.cache_clear()


def test_a_commit_is_rejected_and_taken_back_with_a_reason(history: History, repository_of_shop: Repository) -> None:
    sha = repository_of_shop.write({"a": "1"}, "a commit")

    def asked(*words: str) -> Result:
        return CliRunner().invoke(app, ["reject", "--project", "shop", "--commit", sha[:8], *words])

    done = json.loads(asked("--reason", "it loses orders", "--json").stdout)
    assert (done["sha"], done["rejected"], done["live_in"]) == (sha, True, []) and done["rejected_by"]
    assert rejected(history, "shop")[sha].reason == "it loses orders"
    assert asked("--reason", " ").exit_code != 0 and asked().exit_code == 2, "it needs a reason"
    assert "may be deployed again" in asked("--reason", "it was another one", "--take-back").stdout
    assert sha not in rejected(history, "shop")
    assert asked("--reason", "again", "--take-back").exit_code != 0
