"""The exporter over a real history: correct numbers, counters that never fall, and promtool's check."""

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from infraaudit.notices.outgoing import send_notices
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.reporting.metrics import METRICS
from infraaudit_domain.reporting.recipients import Recipients
from resources.history import History
from resources.history.queries.measures import RunningTotals
from resources.notifier import Notifier
from service.app import ServiceOptions, build_app
from tests.service.conftest import SHAS, START


def samples(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics").text
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def value(client: TestClient, name: str, **labels: str) -> float:
    return samples(client)[name, tuple(sorted(labels.items()))]


def test_the_numbers_are_those_of_the_history(client: TestClient) -> None:
    labels = {"project": "shop", "environment": "production"}
    newest = {"project": "shop", "framework": "terraform"}
    assert value(client, "infraaudit_findings", **newest, severity="critical", status="open") == 1
    assert value(client, "infraaudit_findings", **newest, severity="high", status="suppressed") == 1
    assert value(client, "infraaudit_findings", **newest, severity="low", status="open") == 0
    assert value(client, "infraaudit_findings_live", **labels, severity="critical") == 1
    assert value(client, "infraaudit_deployments_total", **labels, outcome="rolled_back") == 1
    assert value(client, "infraaudit_deployments_total", **labels, outcome="degraded") == 0
    assert value(client, "infraaudit_change_failure_ratio", **labels) == 1 / 3
    assert value(client, "infraaudit_restore_time_seconds", **labels) == 2 * 3600
    assert (
        value(client, "infraaudit_deployment_info", **labels, sha=SHAS[3], image="image", digest=f"sha256:{SHAS[3]}")
        == 1
    )
    assert value(client, "infraaudit_runs_total", project="shop", outcome="failed") == 1
    assert value(client, "infraaudit_scans_total", project="shop", status="failed") == 1
    assert value(client, "infraaudit_notices_waiting", project="shop") == 1
    # A and B with the first commit, C with the second; B went and came back. The crashed third scan counts for nothing.
    changes = {"introduced": 3, "reopened": 1, "fixed": 2}
    for change, number in changes.items():
        assert value(client, "infraaudit_finding_changes_total", project="shop", change=change) == number, change


def test_printed_lines_and_the_error_ratio_of_what_is_live(client: TestClient, history: History) -> None:
    labels = {"project": "shop", "environment": "production"}
    assert value(client, "infraaudit_log_lines_total", **labels, level="error") == 0
    counts = {(SHAS[3], "info"): 3, (SHAS[3], "error"): 1, (SHAS[0], "error"): 5}
    history.record_log_counts("shop", "production", "2026-01-01", counts)
    assert value(client, "infraaudit_log_lines_total", **labels, level="error") == 6
    assert value(client, "infraaudit_log_error_ratio", **labels) == 0.25


def test_totals_over_stages_are_kept_and_only_grow(client: TestClient, history: History) -> None:
    labels = {"project": "shop", "stage": "docker_image", "outcome": "succeeded"}
    name = "infraaudit_stage_duration_seconds"
    assert [value(client, f"{name}_count", **labels) for _ in range(2)] == [4, 4]
    assert value(client, f"{name}_bucket", **labels, le="10.0") == 0
    assert value(client, f"{name}_bucket", **labels, le="30.0") == 4
    later = START + timedelta(hours=9)
    history.record_stage(
        "shop", SHAS[0], "docker_image", StageOutcome.SUCCEEDED, later, later + timedelta(seconds=1), "again"
    )
    assert value(client, f"{name}_count", **labels) == 5
    assert value(client, f"{name}_sum", **labels) == 81


def test_a_run_is_counted_when_it_is_over_and_never_taken_back(client: TestClient, history: History) -> None:
    def runs() -> tuple[float, float]:
        counts = (value(client, "infraaudit_runs_total", project="shop", outcome=o) for o in ("succeeded", "failed"))
        return next(counts), next(counts)

    assert runs() == (3, 1)
    now = datetime.now(UTC)
    history.record_stage("shop", SHAS[0], "docker_image", StageOutcome.SUCCEEDED, now, now, "going")
    assert runs() == (3, 1), "its next stage may fail"
    history.record_stage("shop", SHAS[0], "test_results", StageOutcome.FAILED, now, now, "going")
    assert runs() == (3, 2)


def test_every_metric_that_is_named_is_served(client: TestClient) -> None:
    served = {name for name, _ in samples(client)}
    missing = {m.name for m in METRICS if m.name not in served and f"{m.name}_count" not in served}
    assert not missing


def test_promtool_has_nothing_to_say(client: TestClient, needs: Callable[[str], None]) -> None:
    needs("promtool")
    done = subprocess.run(["promtool", "check", "metrics"], input=client.get("/metrics").content, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_a_history_that_cannot_be_read_is_a_sample(client: TestClient, history: History) -> None:
    with history.writing() as connection:
        connection.exec_driver_sql("DROP TABLE notices")
    assert samples(client) == {("infraaudit_history_up", ()): 0}


def test_a_scrape_is_asked_to_come_back_while_the_history_is_read_for_the_first_time(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, read_stages = Event(), RunningTotals.read_stages

    def slowly(totals: RunningTotals) -> None:
        assert go_on.wait(20)
        read_stages(totals)

    monkeypatch.setattr(RunningTotals, "read_stages", slowly)
    with TestClient(build_app(history, ServiceOptions(["shop"]))) as client:
        early = client.get("/metrics")
        go_on.set()
        assert (early.status_code, early.headers["Retry-After"]) == (503, "5")
        while (later := client.get("/metrics")).status_code == 503:
            time.sleep(0.01)
        assert "infraaudit_history_up 1.0" in later.text


def test_undelivered_notices_and_who_would_hear_of_a_failing_test(client: TestClient, history: History) -> None:
    assert value(client, "infraaudit_notice_addresses", project="shop") == 0
    assert value(client, "infraaudit_notice_addresses", project="bank") == 2
    assert value(client, "infraaudit_notices_undelivered", project="shop") == 0
    send_notices(history, lambda _: Notifier(Recipients()))
    assert value(client, "infraaudit_notices_undelivered", project="shop") == 1
    assert value(client, "infraaudit_notices_waiting", project="shop") == 0
    assert value(client, "infraaudit_notices_sent_total", project="shop") == 0
