"""The sensor that reports outcomes: runs that died silently, each once, however many; and dead sensors."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from infraaudit.notices.announcer import Announcer
from infraaudit.notices.sensor_watch import SensorWatch
from infraaudit_domain.dagster_names import fork_name, pipeline_name, request_name
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.errors import DagsterUnavailableError
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from resources.dagster.api import _SENSOR, DagsterApi, SensorState
from resources.dagster.resources import GitResource, HistoryResource, NotifierResource
from resources.history import History
from resources.history.forge.expected import expect_statuses
from resources.history.forge.statuses import statuses_of_commit
from resources.history.outbox import waiting_notices
from sensors.outcomes import build_notice_sensor
from tests.conftest import Repository
from tests.resources.databases import fresh_history

NOW = datetime.now(UTC)


@pytest.fixture
def past(tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest) -> Iterator[History]:
    yield from fresh_history("sqlite", tmp_path, needs, request)


def test_sixty_dead_runs_are_reported_in_one_tick_and_once(
    past: History, repository: Repository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sha = repository.write({"a": "1"}, "Start")
    project = Project("shop", str(repository.path), forge=Forge(ForgeKind.GITHUB, "https://api.github.com", "a/shop"))
    expect_statuses(past, "shop", [sha, "b" * 40])
    said = past.url
    resources = {
        "git": GitResource(state=str(tmp_path)),
        "history": HistoryResource(url=said, gate_file=""),
        "notifier": NotifierResource(dagster_url="http://dagster"),
    }
    sensor = build_notice_sensor([project])
    with dg.DagsterInstance.ephemeral() as instance:
        runs = [_dead_run(instance, pipeline_name(project), sha) for _ in range(60)]
        for job in ("some_other_job", request_name(project), fork_name(project)):
            _dead_run(instance, job, sha)
        past.record_stage("shop", sha, "docker_image", StageOutcome.FAILED, NOW, NOW, runs[0], "no space left")
        for _ in range(2):
            sensor.evaluate_tick(dg.build_sensor_context(instance, sensor_name="notices", resources=resources))
    titles = [record.getMessage().splitlines()[0] for record in caplog.records if record.name == "infraaudit.notices"]
    assert sorted(titles) == [
        f"shop: docker_image fails at {sha[:12]}",
        *([f"shop: the run of {sha[:12]} died"] * 59),
    ]
    assert not waiting_notices(past)
    states = {one.context.rpartition("/")[2]: one.state.value for one in statuses_of_commit(past, "shop", sha)}
    assert states == {"image": "pending", "scan": "error", "tests": "error"}, "the image's is on its way"
    assert {one.state.value for one in statuses_of_commit(past, "shop", "b" * 40)} == {"pending"}


def _dead_run(instance: dg.DagsterInstance, job: str, sha: str) -> str:
    run = instance.create_run_for_job(
        dg.JobDefinition(name=job, graph_def=dg.GraphDefinition(name=job)), tags={"dagster/partition": sha}
    )
    instance.report_run_failed(run)
    return run.run_id


class Api(DagsterApi):
    """Answers as the test sets it: the state of a sensor, or that Dagster is down."""

    answer: SensorState | None = None

    def sensor(self, job: str, name: str) -> SensorState:
        if self.answer is None:
            raise DagsterUnavailableError("Dagster does not answer")
        return self.answer


def test_a_commit_that_waits_for_approval_is_reported_once(past: History) -> None:
    for _ in range(2):
        now = datetime.now(UTC)
        past.record_deployment(
            Deployment("shop", "production", "a" * 40, "none", Outcome.WAITING, now, now, reason="0 of 2 approvals")
        )
        Announcer(past, {}, lambda _: pytest.fail("no mirror"), "http://dagster", "http://page").announce(now)
    (notice,) = waiting_notices(past)
    assert notice.title == "shop in production: aaaaaaaaaaaa waits for approval"
    assert "0 of 2 approvals" in notice.body and f"http://page/projects/shop/commits/{'a' * 40}" in notice.body


def test_a_sensor_is_called_dead_once_and_alive_once(past: History) -> None:
    api = Api("http://dagster")
    watch = SensorWatch(past, api, {"shop": ("job", "shop_commits")})
    api.answer = SensorState("", NOW.timestamp())
    watch.look(NOW)
    api.answer = None
    for seconds in (20, 40):
        watch.look(NOW + timedelta(seconds=seconds))
    assert not waiting_notices(past), "a restart is no death"
    for seconds in (61, 80, 100):
        watch.look(NOW + timedelta(seconds=seconds))
    assert [(one.urgency, "is dead" in one.title) for one in waiting_notices(past)] == [("critical", True)]
    api.answer = SensorState("", NOW.timestamp() + 120)
    for seconds in (120, 140):
        watch.look(NOW + timedelta(seconds=seconds))
    assert sorted(one.urgency for one in waiting_notices(past)) == ["critical", "info"]


def test_what_was_never_seen_at_work_has_time_to_start(past: History) -> None:
    api = Api("http://dagster")
    watch = SensorWatch(past, api, {name: ("job", f"{name}_commits") for name in ("a", "b", "c")})
    for minutes in range(0, 15, 2):
        watch.look(NOW + timedelta(minutes=minutes))
    assert not waiting_notices(past)
    watch.look(NOW + timedelta(minutes=15))
    (notice,) = waiting_notices(past)
    assert notice.title == "the sensors of 3 projects are dead; new commits are not seen"
    assert "Projects: a, b, c." in notice.body and "Dagster does not answer" in notice.body


def test_a_last_look_of_before_the_service_started_is_no_reason_to_call_a_sensor_dead_at_once(past: History) -> None:
    api = Api("http://dagster")
    watch = SensorWatch(past, api, {"shop": ("job", "shop_commits")})
    api.answer = SensorState("It is switched off.", NOW.timestamp() - 3600)
    watch.look(NOW)
    assert not waiting_notices(past)
    watch.look(NOW + timedelta(seconds=61))
    assert [one.urgency for one in waiting_notices(past)] == ["critical"]


def test_one_cause_is_one_notice_and_each_other_one_its_own(past: History) -> None:
    projects = [f"p{number:02}" for number in range(17)]
    api = Api("http://dagster")
    watch = SensorWatch(past, api, {name: ("job", f"{name}_commits") for name in projects})
    api.answer = SensorState("", NOW.timestamp())
    watch.look(NOW)
    api.answer = None
    watch.look(NOW + timedelta(seconds=61))
    (dead,) = waiting_notices(past)
    assert dead.project == "" and all(name in dead.body for name in projects)
    api.answer = SensorState("", NOW.timestamp() + 90)
    watch.look(NOW + timedelta(seconds=90))
    assert [one.title for one in waiting_notices(past)][1:] == ["the sensors of 17 projects are back"]


def test_dagsters_own_schema_knows_what_is_asked() -> None:
    from dagster_graphql.schema import create_schema
    from graphql import parse, validate

    assert validate(create_schema().graphql_schema, parse(_SENSOR)) == []
