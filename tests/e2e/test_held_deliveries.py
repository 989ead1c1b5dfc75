"""Two people approve, a freeze holds, and what waited is deployed by itself: commands, sensor and job on the real cluster."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from infraaudit.deploying.approving import approve
from infraaudit_assets.cli import app
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.definitions import build_definitions
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.scans.findings import Severity
from resources.dagster.resources import GitResource, HistoryResource
from resources.history.deployments import deployments
from sensors.continuing import build_continuing_sensors
from tests.e2e.clusters import HEALTHY, namespace
from tests.e2e.test_delivery_commands import Shop, shop

pytestmark = pytest.mark.e2e
__all__ = ["namespace", "shop"]


def asked(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, [words[0], "--project", "shop", *words[1:], "--json"])
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout)


def configure(shop: Shop, **production: Any) -> None:
    file = settings().projects
    listed = json.loads(file.read_text())
    listed["projects"][0]["environments"][1] |= production
    file.write_text(json.dumps(listed, default=str))


def days(first: int, last: int) -> list[dict[str, str]]:
    now = datetime.now(UTC)
    return [{"from": str((now + timedelta(days=first)).isoformat()), "to": str((now + timedelta(days=last)).isoformat()),
             "reason": "the turn of the year"}]  # fmt: skip


def launched_by_the_sensor() -> str:
    """The commit whose run the sensor of production asks for, run; empty where it asks for none."""
    project = find_project("shop")
    _, sensor = build_continuing_sensors(project, 30)
    resources = {
        "git": GitResource(state=str(settings().state.path)),
        "history": HistoryResource(url=settings().history_url, gate_file=str(settings().gate_file)),
    }  # fmt: skip
    with dg.DagsterInstance.ephemeral() as instance:
        answer = sensor(dg.build_sensor_context(instance, resources=resources))
    if not isinstance(answer, dg.SensorResult):
        return ""
    (request,) = answer.run_requests or []
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("shop_commits", [request.partition_key or ""])
        job = build_definitions((project,), settings()).get_job_def("shop_to_production")
        assert job.execute_in_process(instance=instance, partition_key=request.partition_key).success
    return request.partition_key or ""


def test_what_waits_for_people_and_for_a_freeze_is_deployed_by_itself(shop: Shop) -> None:
    first, second = shop.commit(HEALTHY), shop.commit(HEALTHY + "# 2")
    mirror_of(shop.project).fetch()
    for sha in (first, second):
        shop.record_facts(sha, Severity.LOW)
    configure(shop, approvals=2, freeze=days(-1, 1))
    assert shop.deploy(first) is Outcome.DEPLOYED
    waiting = asked("promote", "--to", "production", code=1)
    assert waiting["outcome"] == "waiting" and "0 of 2 approvals" in waiting["reason"]
    assert launched_by_the_sensor() == ""
    given = asked("approve", "--environment", "production", "--commit", first, "--reason", "load test is green")
    assert (given["approvals"], given["enough"]) == (1, False)
    again = asked("approve", "--environment", "production", "--commit", first, "--reason", "still green")
    assert again["approvals"] == 1, "nobody counts twice"
    project = find_project("shop")
    approve(shop.history, mirror_of(project), project, project.environments[1], first, "eve", "fine")
    assert launched_by_the_sensor() == "", "it is frozen still"
    frozen = asked("promote", "--to", "production", code=1)
    assert frozen["outcome"] == "frozen" and "the turn of the year" in frozen["reason"]
    (_, production) = asked("status")
    assert (production["sha"], [one["outcome"] for one in production["waiting"]]) == (None, ["frozen"])

    configure(shop, freeze=days(-2, -1))
    assert launched_by_the_sensor() == first
    live = shop.history.live("shop", "production")
    assert live and live.sha == first and launched_by_the_sensor() == ""

    configure(shop, freeze=days(-1, 1), approvals=0)
    assert shop.deploy(second) is Outcome.DEPLOYED
    held = asked("deploy", "--environment", "production", "--commit", second, code=1)
    assert held["outcome"] == "frozen"
    reason = ("--override-freeze", "--reason", "closes the hole of today")
    assert asked("deploy", "--environment", "production", "--commit", second, *reason)["outcome"] == "deployed"
    back = asked("rollback", "--environment", "production")
    assert (back["sha"], back["outcome"]) == (first, "deployed"), "a freeze keeps nobody from going back"
    rows = asked("approvals")
    assert [(row["sha"], row["leave"]) for row in rows if row["leave"] == "freeze override"] == [
        (second, "freeze override")
    ]
    outcomes = [one.outcome.value for one in deployments(shop.history, "shop", "production")][::-1]
    assert outcomes == ["waiting", "frozen", "deployed", "frozen", "deployed", "deployed"]
