"""`dagster dev` in a fresh checkout, as a newcomer starts it, and the asset graph that Chromium then shows."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port
from tests.e2e.browser import browser
from tests.e2e.checkout import fresh_checkout
from tests.e2e.installation import BIN

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
ASSETS = {"commit", "docker_image", "test_results", "scan_report", "scan_trends", "deployment", "monitoring",
          "dashboard", "application_logs"}  # fmt: skip
NODES = "[...document.querySelectorAll('foreignObject')].map(node => node.textContent.trim())"


@pytest.mark.parametrize(
    ("words", "has_home"),
    [(("-w", "workspace.yaml"), True), ((), False)],
    ids=["workspace file and empty DAGSTER_HOME", "no option and no DAGSTER_HOME"],
)
def test_it_starts_and_shows_the_asset_graph(
    needs: Callable[[str], None], tmp_path: Path, words: tuple[str, ...], has_home: bool
) -> None:
    needs("chromium")
    checkout = fresh_checkout(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("INFRAAUDIT_", "DAGSTER"))}
    environment["PYTHONPATH"] = str(checkout)  # what is installed in the virtual environment is another checkout
    if has_home:
        environment["DAGSTER_HOME"] = str(tmp_path / "dagster")
        (tmp_path / "dagster").mkdir()
    port, log = free_port(), tmp_path / "dagster_dev.log"
    with log.open("w") as output:
        command = [BIN / "dagster", "dev", *words, "-p", str(port)]
        program = subprocess.Popen(command, cwd=checkout, env=environment, stdout=output, stderr=output)
    try:
        _wait_until_it_answers(program, port, log)
        with browser() as page:
            page.open(f"http://127.0.0.1:{port}/asset-groups")
            page.wait_for(f"{NODES}.some(text => text.includes('dashboard'))", 120)
            shown = page.ask(NODES)
            assert {name for name in ASSETS if any(name in text for text in shown)} == ASSETS
    finally:
        program.send_signal(signal.SIGINT)
        code = program.wait(120)
    assert code == 0
    assert "Error loading" not in log.read_text()
    assert not list(checkout.glob(".tmp_dagster_home*")), "a home that Dagster made for itself is removed"


def _wait_until_it_answers(program: subprocess.Popen[bytes], port: int, log: Path) -> None:
    while program.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/server_info", timeout=30).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.3)
    pytest.fail(f"dagster dev ended: {log.read_text()[-3000:]}")
