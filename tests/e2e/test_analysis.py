"""A release on the real cluster, measured by a real Prometheus: numbers outside their limits take it back."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from infraaudit.deploying.analysing import Analyser
from infraaudit_domain.delivery.analysis import Analysis, Threshold
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.errors import MonitoringError
from resources.history.decisions.measurements import measurement_rows
from resources.prometheus import values_of
from tests.conftest import free_port, require
from tests.e2e.clusters import HEALTHY, SHAS, Namespace, manifests, namespace
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e
__all__ = ["namespace"]
ERRORS = Threshold("error rate", 'max_over_time(errors_ratio{app="$project"}[2s])', most=0.01)
UP = Threshold("targets up", "count(up == 1)", least=1)


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[tuple[str, Gauge]]:
    """A Prometheus, and the error rate of the application that it scrapes."""
    require("promtool")
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not installed on this machine")
    registry, app_port, port = CollectorRegistry(), free_port(), free_port()
    errors = Gauge("errors_ratio", "Requests that failed, of all.", ["app"], registry=registry)
    errors.labels("shop").set(0)
    server, _ = start_http_server(app_port, addr="127.0.0.1", registry=registry)
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 250ms}\n"
        f"scrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{app_port}']}}]}}]\n"
    )
    words = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    words.append(f"--web.listen-address=127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            eventually(lambda: _has_scraped(url))
            yield url, errors
        finally:
            process.kill()
            server.shutdown()


def _has_scraped(url: str) -> bool:
    try:
        return bool(values_of(url, UP.query))
    except MonitoringError:  # It starts.
        return False


def test_a_release_that_fails_more_requests_is_taken_back(namespace: Namespace, scraped: tuple[str, Gauge]) -> None:
    url, errors = scraped
    analyse = Analyser(namespace.history, Analysis(4, 0.5, (ERRORS, UP)), partial(values_of, url))
    first = namespace.deliver(0, manifests(HEALTHY), analyse=analyse)
    assert first.outcome is Outcome.DEPLOYED, first.reason
    assert "error rate was 0 (at most 0.01)" in first.reason and "targets up was 1 (at least 1)" in first.reason

    def after_a_while(query: str) -> list[float]:
        if time.monotonic() > begun + 1.5:
            errors.labels("shop").set(0.25)
        return values_of(url, query)

    worse = Analyser(namespace.history, Analysis(20, 0.5, (ERRORS, UP)), after_a_while)
    begun = time.monotonic()
    bad = namespace.deliver(1, manifests(HEALTHY), analyse=worse)
    assert bad.outcome is Outcome.ROLLED_BACK and "its analysis failed: error rate was 0.25" in bad.reason
    assert namespace.running_versions() == {SHAS[0]}
    rows = {row["name"]: row for row in measurement_rows(namespace.history, "shop", sha=SHAS[1])}
    assert (rows["error rate"]["value"], rows["error rate"]["passed"]) == (0.25, False)


def test_what_prometheus_refuses_differs_from_what_it_does_not_have(scraped: tuple[str, Gauge]) -> None:
    url, _ = scraped
    assert values_of(url, "vector(1)") == [1.0] and values_of(url, "2.5") == [2.5]
    assert values_of(url, "no_such_metric") == []
    with pytest.raises(MonitoringError, match="refuses rate"):
        values_of(url, "rate(")
    with pytest.raises(MonitoringError, match="is a matrix"):
        values_of(url, "up[5m]")
    with pytest.raises(MonitoringError, match="does not answer"):
        values_of(f"http://127.0.0.1:{free_port()}", "up")
