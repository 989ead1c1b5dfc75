"""What Dagster does with a report above the limits: the trends are made, the deployment is not."""

import json
from pathlib import Path

import dagster as dg
import pytest

from infraaudit_assets.connections import build_resources
from infraaudit_assets.definitions import build_definitions
from infraaudit_assets.settings import Settings
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.projects import Project
from resources.dagster.partitions import commits_of
from resources.dagster.resources import NotifierResource
from resources.history import open_history
from tests.conftest import Repository
from tests.service.conftest import receivers
from tests.service.receivers import Receiver

pytestmark = pytest.mark.e2e
__all__ = ["receivers"]
IN_PUBLIC = """
resource "aws_instance" "web" {
  ami                         = "ami-12345678"
  instance_type               = "t3.micro"
  associate_public_ip_address = true
}
"""


def test_a_report_above_the_limits_stops_the_deployment_and_not_the_trends(
    repository: Repository, tmp_path: Path, warm_home: Path, receivers: list[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = repository.write({"main.tf": "# nothing yet\n"}, "good")
    bad = repository.write({"main.tf": IN_PUBLIC}, "bad")
    project = Project("gated", str(repository.path))
    monkeypatch.setenv("INFRAAUDIT_DATABASE_URL", f"sqlite:///{tmp_path}/history.db")
    current = Settings(home=warm_home, reports=tmp_path, engine="none", target="none")
    past = open_history(current.history_url)
    for sha in (good, bad):
        past.record_image("gated", sha, Image("p:1", "sha256:0", 1, 1.0, "d", None, None))
        past.record_test_run("gated", sha, TestRun((TestCase("t", CaseOutcome.PASSED, 0.1),), 1.0))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(commits_of(project).name or "", [good, bad])
        results = {sha: _run(project, current, instance, sha) for sha in (good, bad)}
        _tell(project, current, instance, receivers[0])

    assert results[good].success
    assert _checks(results[good]) == {"scan_gate": True, "release_gate": True}
    assert not results[bad].success
    assert _checks(results[bad]) == {"scan_gate": False, "release_gate": False}
    made = {
        event.asset_key.path[-1]
        for event in results[bad].all_events
        if event.is_step_materialization and event.asset_key
    }
    assert made == {"commit", "scan_report", "scan_trends"}
    failed = [event.step_key for event in results[bad].all_events if event.is_step_failure]
    assert failed == ["gated__deployment"]
    gate = next(e for e in results[bad].get_asset_check_evaluations() if e.check_name == "release_gate")
    assert gate.blocking and "new high findings, 0 allowed" in str(gate.description)
    assert "CKV\\_AWS\\_88" in str(gate.metadata["findings"].value)
    attempt = past.last_deployment("gated", "production", bad)
    assert attempt is not None and "new high findings" in attempt.reason
    (found,) = receivers[0].taken  # What the gate stops for them is said with the findings.
    assert found["title"] == f"gated: 2 new severe findings with {bad[:12]}: not deployed"
    assert found["body"].endswith(f"/projects/gated/commits/{bad}")
    assert "high: CKV_AWS_88" in found["body"] and "main.tf:" in found["body"]
    assert "new high findings, 0 allowed" in found["body"] and "Ada <ada@example.org>" in found["body"]


def _run(project: Project, current: Settings, instance: dg.DagsterInstance, sha: str) -> dg.ExecuteInProcessResult:
    names = ("commit", "scan_report", "scan_trends", "deployment")
    definitions = build_definitions((project,), current)
    wanted = dg.AssetSelection.assets(*(["gated", name] for name in names))
    job = dg.define_asset_job("some", selection=wanted, partitions_def=commits_of(project))
    found = dg.Definitions(assets=definitions.assets, resources=definitions.resources, jobs=[job])
    return found.resolve_job_def("some").execute_in_process(instance=instance, partition_key=sha, raise_on_error=False)


def _tell(project: Project, current: Settings, instance: dg.DagsterInstance, receiver: Receiver) -> None:
    resources = build_resources(current) | {"notifier": NotifierResource(urls=json.dumps([receiver.url]))}
    sensor = build_definitions((project,), current).get_sensor_def("notices")
    for _ in range(2):
        sensor.evaluate_tick(dg.build_sensor_context(instance, sensor_name="notices", resources=resources))


def _checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {found.check_name: found.passed for found in result.get_asset_check_evaluations()}
