"""The deployment assets as Dagster runs them: image by digest, two environments, promotion, drift, logs, a rollback that stays.

Real engine, registry and cluster, with the Role's token. Tests and scan are written to the history as facts.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import typer
import yaml
from typer.testing import CliRunner

from infraaudit_assets.commands import delivery
from infraaudit_assets.commands.projects import mirror_of
from infraaudit_assets.commands.watch import watch_worker
from infraaudit_assets.connections import build_resources
from infraaudit_assets.definitions import build_definitions
from infraaudit_assets.runs import dagster_instance
from infraaudit_assets.settings import settings
from infraaudit_domain.dagster_names import promotion_name
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from resources.configuration.projects import read_projects
from resources.dagster.api import DagsterApi
from resources.dagster.partitions import commits_of
from resources.dagster.resources import NotifierResource
from tests.conftest import require
from tests.e2e.clusters import CRASHING, HEALTHY, IMAGE, kubectl, manifests, namespace
from tests.e2e.test_delivery_commands import Shop, shop
from tests.e2e.waiting import eventually
from tests.service.conftest import receivers
from tests.service.receivers import Receiver

pytestmark = pytest.mark.e2e
__all__ = ["namespace", "receivers", "shop"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Shown(DagsterApi):
    """Keeps what Dagster would be shown: the last outcome of each check, and how many lines there were."""

    def __init__(self) -> None:
        super().__init__("http://nowhere")
        self.checks, self.lines, self.looks = dict[str, bool](), list[int](), 0

    def show_check(
        self, asset: Sequence[str], check: str, passed: bool, description: str, metadata: Mapping[str, Any]
    ) -> None:
        self.checks[asset[-1]] = passed

    def show_observation(
        self, asset: Sequence[str], partition: str, description: str, metadata: Mapping[str, Any]
    ) -> None:
        self.lines.append(metadata["lines"])


class Installation:
    """The shop's definitions and Dagster instance, and its commits."""

    def __init__(self, shop: Shop, instance: dg.DagsterInstance) -> None:
        (self.project,) = read_projects(settings().projects)
        self.shop, self.instance, self.past = shop, instance, shop.history
        self.definitions = build_definitions((self.project,), settings())
        self.dagster = Shown()

    def commit(self, program: str) -> str:
        """A commit whose image holds the program, with green tests and a clean scan."""
        documents = manifests("import runpy; runpy.run_path('/app.py')")
        overlay = {
            "resources": ["../base"],
            "replicas": [{"name": "web", "count": 1}],
            "commonAnnotations": {"at": "p"},
        }
        files = {
            "docker/Dockerfile": f"FROM {IMAGE}\nCOPY app.py /app.py\n", "app.py": f"# {uuid.uuid4()}\n{program}",
            "k8s/base/web.yaml": yaml.safe_dump_all(json.loads(json.dumps(documents))),
            "k8s/base/kustomization.yaml": "resources: [web.yaml]",
            "k8s/production/kustomization.yaml": json.dumps(overlay),
        }  # fmt: skip
        sha = self.shop.repository.write(files, "a commit")
        mirror_of(self.project).fetch()
        self.instance.add_dynamic_partitions(commits_of(self.project).name or "", [sha])
        self.past.record_test_run("shop", sha, TestRun((TestCase("t", CaseOutcome.PASSED, 0.1),), 0.1))
        part = FrameworkScan("dockerfile", sha, ScanStatus.COMPLETE, ())
        self.past.record_scan("shop", Scan(sha, (part,), "3", "x", NOW, 0.1))
        return sha

    def run(self, job: str, sha: str, *assets: str) -> dg.ExecuteInProcessResult:
        found = self.definitions.get_job_def(job)
        return found.execute_in_process(
            instance=self.instance, partition_key=sha, raise_on_error=False,
            asset_selection=[dg.AssetKey(["shop", name]) for name in assets] or None,
        )  # fmt: skip

    def watched(self) -> dict[str, bool]:
        """What Dagster was shown last of each deployment, after one more look at each environment."""
        worker = watch_worker(settings(), self.past, [self.project], self.dagster)
        for environment in self.project.environments:
            self.dagster.looks += 1
            assert worker.work(self.project, environment, datetime.now(UTC) + self.dagster.looks * timedelta(hours=1))
        return self.dagster.checks

    def sensor(self, name: str, cursor: str | None = None) -> tuple[Any, str | None]:
        context = dg.build_sensor_context(self.instance, cursor=cursor, resources=build_resources(settings()))
        return self.definitions.get_sensor_def(name)(context), context.cursor

    def titles(self, receiver: Receiver) -> list[str]:
        """The titles of what a receiver got of all that happened, oldest first."""
        resources = build_resources(settings()) | {"notifier": NotifierResource(urls=json.dumps([receiver.url]))}
        context = dg.build_sensor_context(self.instance, sensor_name="notices", resources=resources)
        self.definitions.get_sensor_def("notices").evaluate_tick(context)
        return [notice["title"] for notice in receiver.taken]

    def live(self, environment: str) -> str | None:
        found = self.past.live("shop", environment)
        return found.sha if found else None


@pytest.fixture
def installed(shop: Shop) -> Iterator[Installation]:
    require("engine")
    require("registry")
    require("kustomize")
    path = settings().projects
    entry = json.loads(path.read_text())["projects"][0]
    entry |= {"registry": "127.0.0.1:5000/delivery-tests/shop", "paths": {"manifests": ["k8s/base"]}}
    entry["environments"][1] |= {"manifests": ["k8s/production"], "promote_after": 0}
    path.write_text(json.dumps({"projects": [entry]}))
    with dagster_instance(settings()) as instance:
        yield Installation(shop, instance)


def _events(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(f"shop__{name}")
    return {key: value.value for key, value in event.metadata.items()}


def test_from_commit_to_production_and_back(installed: Installation, receivers: list[Receiver]) -> None:
    staging, production = installed.shop.namespace.name, f"{installed.shop.namespace.name}-production"
    first = installed.commit(HEALTHY)
    done = installed.run("shop_pipeline", first, "docker_image", "deployment")
    assert done.success, [event for event in done.all_events if event.is_failure]
    image = installed.past.image("shop", first)
    assert image and image.digest and image.digest.startswith(f"{installed.project.registry}@sha256:")
    assert _events(done, "deployment")["image"] == image.digest
    assert "updated" in _events(done, "deployment")["replicas over time"]
    pods = installed.shop.namespace.get("pods")["items"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {image.digest}

    # Promotion by itself after health, and only once.
    to_production = promotion_name(installed.project, installed.project.environments[1])
    request, cursor = installed.sensor(to_production)
    assert (request.partition_key, json.loads(cursor or "")[0]) == (first, first)
    assert installed.run(to_production, first).success
    assert installed.live("production") == first
    assert isinstance(installed.sensor(to_production, cursor)[0], dg.SkipReason)
    web = json.loads(kubectl("--namespace", production, "get", "deployment/web", "-o", "json"))
    assert web["metadata"]["annotations"]["at"] == "p", "the overlay of production"

    # Watching finds lines and, once somebody changed something, drift.
    assert installed.watched() == {"deployment": True, "deployment_production": True}
    assert sum(installed.dagster.lines) >= 2
    kubectl("--namespace", production, "scale", "deployment/web", "--replicas=2")
    # While the second pod starts, what runs is called unhealthy and not drifted.
    kubectl("--namespace", production, "rollout", "status", "deployment/web", "--timeout=180s")
    assert installed.watched() == {"deployment": True, "deployment_production": False}
    drifted = "shop in production has drifted: 1 field changed"
    assert installed.titles(receivers[0]) == [drifted]
    assert "Deployment/web: spec.replicas is 2, deployed was 1" in receivers[0].taken[0]["body"]
    kubectl("--namespace", production, "scale", "deployment/web", "--replicas=1")

    # What a person takes back stays away, whoever runs it again, until a newer commit comes.
    second = installed.commit(HEALTHY)
    assert installed.run("shop_pipeline", second, "docker_image", "deployment").success
    app = typer.Typer()
    app.command("rollback")(delivery.rollback)
    assert CliRunner().invoke(app, ["--project", "shop"]).exit_code == 0
    assert installed.live("staging") == first
    latest = installed.instance.get_latest_materialization_event(dg.AssetKey(["shop", "deployment"]))
    assert latest and latest.asset_materialization and latest.asset_materialization.partition == first
    again = installed.run("shop_pipeline", second, "deployment")
    assert again.success and installed.live("staging") == first
    assert "was put back by hand" in installed.past.reasons("shop", second)["deployment"]
    bad = installed.commit(CRASHING)
    failed = installed.run("shop_pipeline", bad, "docker_image", "deployment")
    assert not failed.success and installed.live("staging") == first
    assert "the reason is a missing table" in installed.past.reasons("shop", bad)["deployment"]
    assert installed.titles(receivers[0]) == [drifted, f"shop in staging: {bad[:12]} was rolled back"]
    assert "the reason is a missing table" in receivers[0].taken[1]["body"]
    third = installed.commit(HEALTHY)
    assert installed.run("shop_pipeline", third, "docker_image", "deployment").success
    assert installed.titles(receivers[0])[2:] == [f"shop in staging has recovered: {third[:12]} is healthy"]
    assert installed.live("staging") == third
    eventually(lambda: installed.shop.namespace.running_versions() == {third})
    assert staging in installed.past.live("shop", "staging").target  # type: ignore[union-attr]


def test_a_later_environment_takes_only_what_was_healthy_in_the_one_before(installed: Installation) -> None:
    sha = installed.commit(HEALTHY)
    to_production = promotion_name(installed.project, installed.project.environments[1])
    refused = installed.run(to_production, sha)
    assert not refused.success and installed.live("production") is None
    assert "it was never healthy in staging" in installed.past.reasons("shop", sha)["deployment_production"]
