"""Configuration, rules and dashboard against Prometheus' own tools, and every panel against a real server."""

import contextlib
import json
import math
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
import uvicorn
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import start_http_server

from infraaudit.pages.grafana_dashboard import ALERTS, PANELS, build_dashboard
from infraaudit_assets.assets.monitoring import build_monitoring
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import MonitoringError
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.metrics import METRICS
from resources.dagster.resources import ArtifactsResource, GitResource, HistoryResource, PrometheusResource
from resources.history import History
from resources.prometheus import reload_prometheus, wait_until_scraped
from service.app import ServiceOptions, build_app
from tests import ROOT
from tests.conftest import Repository, free_port
from tests.service.conftest import history_of_four_commits

CONFIGS = ROOT / "configs" / "prometheus"
RULES = [rule for group in yaml.safe_load((CONFIGS / "rules.yml").read_text())["groups"] for rule in group["rules"]]


def promtool(*words: str, folder: Path = CONFIGS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_configuration_is_one_that_prometheus_takes(needs: Callable[[str], None]) -> None:
    needs("promtool")
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_every_rule_does_what_its_test_says(needs: Callable[[str], None], tmp_path: Path) -> None:
    needs("promtool")
    done = promtool("test", "rules", "rules_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    tested = (CONFIGS / "rules_test.yml").read_text()
    assert not [name for rule in RULES if (name := rule.get("alert") or rule["record"]) not in tested]
    # A test that never fails proves nothing: with every threshold inverted, promtool must object.
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
    assert len({panel["id"] for panel in panels}) == len(panels) == len(PANELS) + 1
    assert all(target["refId"] for panel in panels[:-1] for target in panel["targets"])
    assert (panels[-1]["type"], panels[-1]["options"]["stateFilter"]["firing"]) == ("alertlist", True)


def test_grafanas_own_model_reads_the_dashboard_and_writes_the_same() -> None:
    board = json.loads((CONFIGS / "grafana_dashboard.json").read_text())
    read = Dashboard.from_json(board)
    assert [panel.title for panel in read.panels or ()] == [*(spec.title for spec in PANELS), ALERTS]
    assert json.loads(JSONEncoder().encode(read)) == board


TOKEN = "one that reads"


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[str], None]) -> Iterator[tuple[str, History]]:
    """A real Prometheus that has scraped the real service, which asks for a token, a few times; and its history.

    One for all tests here, since it takes seconds: each leaves project `shop` as it is.
    """
    needs("promtool")
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not installed on this machine")
    folder = tmp_path_factory.mktemp("prometheus")
    history = history_of_four_commits(folder)
    service_port, port = free_port(), free_port()
    app = build_app(history, ServiceOptions(["shop"], read_tokens=[TOKEN]))
    server = uvicorn.Server(uvicorn.Config(app, port=service_port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    config = (CONFIGS / "prometheus.yml").read_text().replace("127.0.0.1:3001", f"127.0.0.1:{service_port}")
    (folder / "prometheus.yml").write_text(
        config.replace("15s", "250ms").replace("# authorization: ", "authorization: ")
    )
    (folder / "token").write_text(TOKEN)
    shutil.copy(CONFIGS / "rules.yml", folder)
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command.append("--web.enable-lifecycle")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: bool(ask(url, 'count_over_time(up{job="infraaudit"}[1m]) >= 4')))
        yield url, history
    finally:
        process.terminate()
        process.wait(20)
        server.should_exit = True
        thread.join(20)
        history.close()


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 40
    while not happened():
        assert time.monotonic() < end, "Prometheus did not scrape the service"
        time.sleep(0.1)


def ask(url: str, expression: str) -> list[dict[str, Any]]:
    try:
        response = httpx.get(f"{url}/api/v1/query", params={"query": expression}, timeout=5)
    except httpx.ConnectError:
        return []
    if response.status_code == 503:  # Prometheus replays its log first.
        return []
    answer = response.json()
    assert answer["status"] == "success", (expression, answer)
    return list(answer.get("data", {}).get("result", []))


def test_every_panel_has_data_from_a_real_prometheus(scraped: tuple[str, History]) -> None:
    prometheus, _ = scraped

    def empty() -> list[str]:
        found = []
        for panel in PANELS:
            words = panel.expression.replace("$__range", "1m").replace("$project", ".+").replace("$environment", ".+")
            if not any(not math.isnan(float(sample["value"][1])) for sample in ask(prometheus, words)):
                found.append(panel.title)
        return found

    # What counts over time needs several scrapes.
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not empty())
    assert not empty()
    targets = httpx.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
    health = {(t["labels"]["job"], t["labels"].get("project")): t["health"] for t in targets}
    assert health.items() >= {("infraaudit", None): "up", ("deployed", "shop"): "down"}.items()
    firing = ask(prometheus, 'ALERTS{alertname="CriticalFindingLive"}')
    assert firing


def test_a_target_that_prometheus_has_not_up_is_reported_with_its_words(scraped: tuple[str, History]) -> None:
    prometheus, history = scraped
    live = history.live("shop", "production")
    assert live
    with pytest.raises(MonitoringError, match=r"127.0.0.1:9/metrics is down: .*refused"):
        wait_until_scraped(prometheus, "shop", "production", live.sha, timeout=0)
    with pytest.raises(MonitoringError, match="none at all"):
        wait_until_scraped(prometheus, "shop", "staging", live.sha, timeout=0)
    service = ask(prometheus, 'up{job="infraaudit"}')[0]["metric"]["instance"]
    with pytest.raises(MonitoringError, match="did not reload"):
        reload_prometheus(f"http://{service}")


def test_the_monitoring_asset_is_done_when_prometheus_has_the_commit_up(
    scraped: tuple[str, History], repository: Repository, tmp_path: Path
) -> None:
    prometheus, history = scraped
    server, thread = start_http_server(0, "127.0.0.1")
    deployed = f"http://127.0.0.1:{server.server_port}"
    own = "scrape_configs: [{job_name: books, scrape_interval: 5s}]\nremote_write: [{url: 'http://evil.example'}]\n"
    sha, now = repository.write({"configs/prometheus/prometheus.yml": own}, "one"), datetime.now(UTC)
    project = Project("books", str(repository.path))
    git = GitResource(state=str(tmp_path))
    git.connect(project).fetch()
    history.record_project(project)
    history.record_commit("books", git.connect(project).commit(sha))
    history.record_deployment(
        Deployment("books", "production", sha, "c", Outcome.DEPLOYED, now, now, "i", url=deployed)
    )
    commits = dg.DynamicPartitionsDefinition(name="commits")
    given = {
        "git": git,
        "history": HistoryResource(url=history.url, gate_file=""),
        "artifacts": ArtifactsResource(state=str(tmp_path), reports=str(tmp_path)),
        "prometheus": PrometheusResource(url=prometheus),
    }
    before = reloaded_at(prometheus)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("commits", [sha])
        asset = build_monitoring(project, {"key_prefix": ["books"], "partitions_def": commits})
        done = dg.materialize([asset], partition_key=sha, instance=instance, resources=given)
    server.shutdown()
    thread.join()
    assert reloaded_at(prometheus) > before
    (made,) = done.asset_materializations_for_node("books__monitoring")
    reported = {name: value.value for name, value in made.metadata.items()}
    assert reported["scraped"] == f"{deployed}/metrics"
    assert (reported["target_up"], reported["checked_by"]) == ("yes", "promtool check config")
    assert reported["ignored_keys"] == "remote_write"
    kept = yaml.safe_load(Path(str(reported["config"])).read_text())["scrape_configs"]
    assert [(job["job_name"], job["static_configs"][0]["targets"]) for job in kept] == [
        ("books", [deployed.removeprefix("http://")])
    ]


def reloaded_at(prometheus: str) -> float:
    name = "prometheus_config_last_reload_success_timestamp_seconds "
    lines = httpx.get(f"{prometheus}/metrics").text.splitlines()
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))
