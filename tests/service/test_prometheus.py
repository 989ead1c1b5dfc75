"""Configuration, rules and dashboard against Prometheus' own tools, and every panel against a real server."""

import json
import math
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
import yaml

from infraaudit_assets.domain.deployments import Deployment, Outcome
from infraaudit_assets.domain.errors import MonitoringError
from infraaudit_assets.domain.metrics import METRICS
from resources.dashboards import PANELS, build_dashboard
from resources.history import History
from resources.prometheus import reload_prometheus, wait_until_scraped
from service.app import ServiceOptions, build_app

CONFIGS = Path(__file__).parents[2] / "configs" / "prometheus"
RULES = [rule for group in yaml.safe_load((CONFIGS / "rules.yml").read_text())["groups"] for rule in group["rules"]]


def promtool(*words: str, folder: Path = CONFIGS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_configuration_is_one_that_prometheus_takes(needs: Callable[[str], None]) -> None:
    needs("promtool")
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stderr


def test_every_rule_does_what_its_test_says(needs: Callable[[str], None], tmp_path: Path) -> None:
    needs("promtool")
    done = promtool("test", "rules", "rules_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    tested = (CONFIGS / "rules_test.yml").read_text()
    assert not [name for rule in RULES if (name := rule.get("alert") or rule["record"]) not in tested]
    # A test that never fails shows nothing: with every threshold turned round, promtool must object.
    shutil.copy(CONFIGS / "rules_test.yml", tmp_path)
    (tmp_path / "rules.yml").write_text((CONFIGS / "rules.yml").read_text().replace(" > ", " < -1 + 0 * "))
    assert promtool("test", "rules", "rules_test.yml", folder=tmp_path).returncode != 0


def test_rules_and_panels_ask_only_for_metrics_that_are_served() -> None:
    names = {m.name for m in METRICS}
    known = names | {f"{name}_{end}" for name in names for end in ("sum", "count", "bucket")}
    asked = " ".join([rule["expr"] for rule in RULES] + [panel.expression for panel in PANELS])
    words = "".join(c if c.isalnum() or c in "_:" else " " for c in asked).split()
    assert not {word for word in words if word.startswith("infraaudit_")} - known


def test_the_committed_dashboard_is_the_generated_one() -> None:
    text = (CONFIGS / "grafana_dashboard.json").read_text()
    assert text == build_dashboard()
    panels = json.loads(text)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == len(PANELS)
    assert all(target["refId"] for panel in panels for target in panel["targets"])


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def prometheus(history: History, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[str]:
    """The address of a real Prometheus that has scraped the real service a few times."""
    needs("promtool")
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not installed on this machine")
    service_port, port = free_port(), free_port()
    server = uvicorn.Server(
        uvicorn.Config(build_app(history, ServiceOptions(["shop"])), port=service_port, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    config = (CONFIGS / "prometheus.yml").read_text().replace("127.0.0.1:3001", f"127.0.0.1:{service_port}")
    (tmp_path / "prometheus.yml").write_text(config.replace("15s", "1s"))
    shutil.copy(CONFIGS / "rules.yml", tmp_path)
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    command.append("--web.enable-lifecycle")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: bool(ask(url, 'count_over_time(up{job="infraaudit"}[1m]) >= 4')))
        yield url
    finally:
        process.terminate()
        process.wait(20)
        server.should_exit = True
        thread.join(20)


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 40
    while not happened():
        assert time.monotonic() < end, "Prometheus did not scrape the service"
        time.sleep(0.3)


def ask(url: str, expression: str) -> list[dict[str, Any]]:
    try:
        response = httpx.get(f"{url}/api/v1/query", params={"query": expression}, timeout=5)
    except httpx.ConnectError:
        return []
    if response.status_code == 503:  # It replays its log first.
        return []
    answer = response.json()
    assert answer["status"] == "success", (expression, answer)
    return list(answer.get("data", {}).get("result", []))


def test_every_panel_has_data_from_a_real_prometheus(prometheus: str) -> None:
    empty = []
    for panel in PANELS:
        expression = panel.expression.replace("$__range", "1m").replace("$project", ".+").replace("$environment", ".+")
        if not any(not math.isnan(float(sample["value"][1])) for sample in ask(prometheus, expression)):
            empty.append(panel.title)
    assert not empty
    targets = httpx.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
    assert {(t["labels"]["job"], t["health"]) for t in targets} == {("infraaudit", "up"), ("deployed", "down")}
    firing = ask(prometheus, 'ALERTS{alertname="CriticalFindingLive"}')
    assert firing


def test_a_deployed_target_counts_as_monitored_when_prometheus_has_it_up(prometheus: str, history: History) -> None:
    live = history.live("shop", "production")
    assert live
    with pytest.raises(MonitoringError, match=r"127.0.0.1:9/metrics is down: .*refused"):
        wait_until_scraped(prometheus, "shop", "production", live.sha, timeout=0)
    with pytest.raises(MonitoringError, match="none at all"):
        wait_until_scraped(prometheus, "shop", "staging", live.sha, timeout=0)
    # Another commit goes live at an address that answers: here, the service's own.
    service = next(t for t in ask(prometheus, 'up{job="infraaudit"}'))["metric"]["instance"]
    now = datetime.now(UTC)
    history.record_deployment(
        Deployment("shop", "production", "9" * 40, "c", Outcome.DEPLOYED, now, now, "i", url=f"http://{service}")
    )
    reload_prometheus(prometheus)
    scraped = wait_until_scraped(prometheus, "shop", "production", "9" * 40, timeout=60)
    assert scraped == f"http://{service}/metrics"
    with pytest.raises(MonitoringError, match="did not reload"):
        reload_prometheus(f"http://{service}")
