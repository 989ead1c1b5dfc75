"""Automatic promotion: after uninterrupted health, once, and only of commits that are new there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from infraaudit_domain.delivery.deployments import Deployment, Outcome, Rollout
from infraaudit_domain.errors import ClusterError
from infraaudit_domain.projects import Environment, Project
from resources.dagster.resources import HistoryResource, KubernetesResource
from resources.history import History, open_history
from sensors.promotions import build_promotion_sensors

PROJECT = Project(
    "shop", "/nowhere", environments=(Environment("staging"), Environment("production", promote_after=60))
)
HEALTH: dict[str, bool] = {}


class ToldCluster(KubernetesResource):
    """A target that is as healthy as the test says."""

    def connect(self, environment: Environment, live: Deployment | None) -> "ToldCluster":  # type: ignore[override]
        return self

    def probe(self, project: str, environment: str) -> Rollout:
        if "answers" in HEALTH and not HEALTH["answers"]:
            raise ClusterError("the API server does not answer")
        return Rollout(HEALTH.get("healthy", True), "1 of 2 available")


class Sensor:
    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/history.db"
        self.history: History = open_history(self.url)
        (self.sensor,) = build_promotion_sensors(PROJECT, 30)
        self.cursor: str | None = None

    def deployed(self, sha: str, environment: str) -> None:
        now = datetime.now(UTC)
        self.history.record_deployment(Deployment("shop", environment, sha, "scripted", Outcome.DEPLOYED, now, now))

    def tick(self) -> str:
        """The promoted commit, or why none is promoted."""
        resources = {
            "history": HistoryResource(url=self.url, gate_file=""), "kubernetes": ToldCluster(state=""),
        }  # fmt: skip
        context = dg.build_sensor_context(cursor=self.cursor, resources=resources)
        answer = self.sensor(context)
        self.cursor = context.cursor
        if isinstance(answer, dg.RunRequest):
            return answer.partition_key or ""
        assert isinstance(answer, dg.SkipReason)
        return answer.skip_message or ""

    def pass_time(self, seconds: float) -> None:
        sha, since = json.loads(self.cursor or "")
        self.cursor = json.dumps([sha, (datetime.fromisoformat(since) - timedelta(seconds=seconds)).isoformat()])


@pytest.fixture
def sensor(tmp_path: Path) -> Sensor:
    HEALTH.clear()
    return Sensor(tmp_path)


def test_what_is_healthy_for_its_time_is_promoted(sensor: Sensor) -> None:
    assert "Nothing in staging is new" in sensor.tick()
    sensor.deployed("a", "staging")
    assert "a is healthy since" in sensor.tick()
    sensor.pass_time(59)
    assert "a is healthy since" in sensor.tick()
    sensor.pass_time(60)
    assert sensor.tick() == "a"
    sensor.deployed("a", "production")
    assert "Nothing in staging is new" in sensor.tick()


@pytest.mark.parametrize("trouble", ["healthy", "answers"])
def test_a_look_that_does_not_find_it_healthy_begins_the_time_anew(sensor: Sensor, trouble: str) -> None:
    sensor.deployed("a", "staging")
    sensor.tick()
    sensor.pass_time(100)
    HEALTH[trouble] = False
    assert sensor.tick() != "a"
    HEALTH[trouble] = True
    assert "a is healthy since" in sensor.tick()
    sensor.pass_time(100)
    assert sensor.tick() == "a"


def test_a_newer_commit_begins_the_time_anew(sensor: Sensor) -> None:
    sensor.deployed("a", "staging")
    sensor.tick()
    sensor.pass_time(100)
    sensor.deployed("b", "staging")
    assert "b is healthy since" in sensor.tick()


def test_without_a_time_there_is_no_sensor() -> None:
    environments = (Environment("staging"), Environment("production"))
    assert list(build_promotion_sensors(Project("shop", "/nowhere", environments=environments), 30)) == []
