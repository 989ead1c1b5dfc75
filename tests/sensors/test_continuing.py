"""What waited is launched by itself, once for each time that it began to wait, in the job of its environment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from infraaudit_assets.definitions import build_definitions
from infraaudit_assets.settings import Settings
from infraaudit_domain.dagster_names import PARTITION, RUN_KEY
from infraaudit_domain.delivery.approvals import Approval, ApprovalRule, Leave
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.freezes import Between
from infraaudit_domain.projects import Environment, Project
from resources.dagster.resources import GitResource, HistoryResource
from resources.history import History, open_history
from resources.history.decisions.approvals import approve
from resources.machine.state_folder import StateFolder
from sensors import continuing
from sensors.continuing import build_continuing_sensors
from tests.conftest import Repository

NOW = datetime.now(UTC)


class Shop:
    def __init__(self, repository: Repository, folder: Path) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.state, self.url = StateFolder(folder), f"sqlite:///{folder}/history.db"
        self.history: History = open_history(self.url)
        self.shas = [repository.write({"a": str(number)}, "a commit") for number in range(3)]
        self.project = Project("shop", str(repository.path))
        GitResource(state=str(folder)).connect(self.project).fetch()

    def waits(self, number: int, environment: str = "production", outcome: Outcome = Outcome.WAITING) -> None:
        now = datetime.now(UTC)
        self.history.record_deployment(Deployment("shop", environment, self.shas[number], "none", outcome, now, now))

    def ran(self, request: dg.RunRequest, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """The run that was requested, as if the daemon had launched it."""
        tags = {PARTITION: request.partition_key or "", RUN_KEY: request.run_key or ""}
        return create_run_for_test(self.instance, job_name="shop_to_production", tags=tags, status=status)

    def tick(self, environment: Environment) -> dg.RunRequest | str:
        project = replace(self.project, environments=(Environment("staging"), environment))
        _, sensor = build_continuing_sensors(project, 30)
        resources = {
            "git": GitResource(state=str(self.state.path)), "history": HistoryResource(url=self.url, gate_file=""),
        }  # fmt: skip
        answer = sensor(dg.build_sensor_context(self.instance, resources=resources))
        if isinstance(answer, dg.SensorResult) and answer.run_requests:
            (request,), added = answer.run_requests, answer.dynamic_partitions_requests or ()
            assert [each.partition_keys for each in added] == [[request.partition_key]]
            return request
        assert isinstance(answer, dg.SkipReason)
        return answer.skip_message or ""


@pytest.fixture
def shop(repository: Repository, tmp_path: Path) -> Shop:
    return Shop(repository, tmp_path)


def test_the_newest_that_is_free_is_launched(shop: Shop) -> None:
    approved, frozen = ApprovalRule(1), (Between(NOW - timedelta(hours=1), NOW + timedelta(hours=1)),)
    production = Environment("production", approval=approved)
    assert "may be deployed" in str(shop.tick(production))
    for number in (1, 0, 2):
        shop.waits(number)
    assert "may be deployed" in str(shop.tick(production))
    for number in (0, 1):
        given = Approval("shop", "production", shop.shas[number], Leave.DEPLOY, "bob", "fine", NOW)
        approve(shop.history, given)
    request = shop.tick(production)
    assert isinstance(request, dg.RunRequest) and request.partition_key == shop.shas[1]
    again = shop.tick(production)
    assert isinstance(again, dg.RunRequest) and again.run_key == request.run_key
    assert "may be deployed" in str(shop.tick(replace(production, freeze=frozen)))
    shop.waits(1, outcome=Outcome.FROZEN)
    later = shop.tick(production)
    assert isinstance(later, dg.RunRequest) and later.run_key != request.run_key, "it waited again"
    shop.waits(1, outcome=Outcome.ROLLED_BACK)
    older = shop.tick(production)
    assert isinstance(older, dg.RunRequest) and older.partition_key == shop.shas[0]


def test_a_run_that_left_it_waiting_is_followed_by_another_and_hides_no_older_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    production = Environment("production")
    shop.waits(0)
    shop.waits(1)
    first = shop.tick(production)
    assert isinstance(first, dg.RunRequest) and first.partition_key == shop.shas[1]
    run = shop.ran(first, dg.DagsterRunStatus.STARTED)
    assert "under way" in str(shop.tick(production))
    shop.instance.report_run_failed(run)
    older = shop.tick(production)
    assert isinstance(older, dg.RunRequest) and older.partition_key == shop.shas[0]
    shop.ran(older, dg.DagsterRunStatus.SUCCESS)
    assert "tried again later" in str(shop.tick(production))
    monkeypatch.setattr(continuing, "_PAUSE", timedelta())
    again = shop.tick(production)
    assert isinstance(again, dg.RunRequest) and again.partition_key == shop.shas[1] and again.run_key != first.run_key


@pytest.mark.parametrize(
    ("last", "target"),
    [(Outcome.INTERRUPTED, "x"), (Outcome.RUNNING, "x"), (Outcome.FAILED, "none"), (Outcome.SKIPPED, "none")],
)
def test_what_was_cut_off_or_never_tried_after_it_waited_waits_still(shop: Shop, last: Outcome, target: str) -> None:
    production, now = Environment("production"), datetime.now(UTC)
    shop.waits(0)
    for sha in shop.shas[:2]:
        shop.history.record_deployment(Deployment("shop", "production", sha, target, last, now, now))
    request = shop.tick(production)
    assert isinstance(request, dg.RunRequest) and request.partition_key == shop.shas[0]
    shop.history.record_deployment(Deployment("shop", "production", "f" * 40, "x", Outcome.WAITING, now, now))
    again = shop.tick(production)
    assert isinstance(again, dg.RunRequest) and again.run_key == request.run_key, "a commit that is lost is none"
    later = datetime.now(UTC)
    shop.history.record_deployment(
        Deployment("shop", "production", shop.shas[0], "x", Outcome.ROLLED_BACK, later, later)
    )
    assert "may be deployed" in str(shop.tick(production))


def test_dagster_takes_the_sensors_of_every_project() -> None:
    environments = (Environment("staging", approval=ApprovalRule(1)), Environment("production"))
    projects = tuple(Project(name, "/x", environments=environments) for name in ("shop", "bank"))
    definitions = build_definitions(projects, Settings()).get_repository_def()
    jobs = {sensor.name: sensor.job_name for sensor in definitions.sensor_defs if "continue" in sensor.name}
    assert jobs == {
        f"{name}_continue_{environment}": job
        for name in ("shop", "bank")
        for environment, job in (("staging", f"{name}_delivery"), ("production", f"{name}_to_production"))
    }
