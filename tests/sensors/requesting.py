"""A project whose requests a test tells of, and what the sensor does about them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent

from infraaudit.forge.requests import take_request
from infraaudit_assets.jobs import build_jobs
from infraaudit_assets.settings import Settings
from infraaudit_domain.dagster_names import PARTITION
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.forge.change_requests import ChangeRequest, RequestState
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from infraaudit_domain.scans.findings import Finding
from resources.dagster.resources import GitResource, HistoryResource
from resources.dagster.run_queue import submit_forgotten
from resources.history.forge.change_requests import request_rows
from resources.history.forge.statuses import newest_statuses
from sensors.requests import build_request_sensors
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import scan
from tests.sensors.racing import create

NOW = datetime.now(UTC)
FORGE = Forge(ForgeKind.GITHUB, "https://forge.example/api", "group/shop", requests=True)


class Shop:
    """A project that takes requests, its repository, and the sensor."""

    def __init__(self, repository: Repository, folder: Path, instance: dg.DagsterInstance) -> None:
        self.repository, self.project = repository, Project("shop", str(repository.path), forge=FORGE)
        current = Settings(home=folder)
        self.instance, self.git = instance, GitResource(state=str(folder))
        # Findings keep the severities that a test gives them.
        self.stored = HistoryResource(url=current.history_url, gate_file=str(current.gate_file))
        self.history, self.mirror = self.stored.connect(), self.git.connect(self.project)
        self.base = repository.write({"main.tf": "1"}, "base")
        self.seconds = 0

    def branch(self, text: str, name: str = "topic") -> str:
        """A commit on a branch; returns it."""
        self.repository.git("switch", "--quiet", "-C", name, self.base)
        sha = self.repository.write({"main.tf": text}, text)
        self.repository.git("switch", "--quiet", "main")
        return sha

    def fork(self, text: str) -> str:
        """A commit that is in no branch of ours, as a forge shows the head of a fork's request 7."""
        sha = self.branch(text, "elsewhere")
        self.repository.git("update-ref", "refs/pull/7/head", sha)
        self.repository.git("branch", "--quiet", "-D", "elsewhere")
        return sha

    def tell(self, head: str, **changed: Any) -> None:
        self.seconds += 1
        words = ("title", "ada", RequestState.OPEN, head, "group/shop", "topic", "main", False)
        seen = ChangeRequest(7, *words, NOW + timedelta(seconds=self.seconds))
        assert take_request(self.history, self.project, replace(seen, **changed))

    def tick(self) -> list[tuple[str | None, str | None]]:
        (sensor,) = build_request_sensors(self.project, build_jobs(self.project), 30)
        context = dg.build_sensor_context(self.instance)
        result = sensor(context, git=self.git, history=self.stored)
        assert isinstance(result, dg.SensorResult)
        self.requested = list(result.run_requests or ())
        return [(request.job_name, request.partition_key) for request in self.requested]

    def run(self, *events: str) -> dg.DagsterRun:
        """The run that was requested, queued, and with what then happened to it."""
        (request,) = self.requested
        tags = {PARTITION: request.partition_key or ""} | dict(request.tags)
        run = create(self.instance, request.run_key or "", request.job_name or "", **tags)
        submit_forgotten(self.instance, "commits")
        for event in events:
            self.instance.report_dagster_event(DagsterEvent(event, run.job_name), run.run_id)
        return run

    def status(self, run: dg.DagsterRun) -> str:
        found = self.instance.get_run_by_id(run.run_id)
        assert found
        return found.status.value

    def scanned(self, sha: str, *found: Finding) -> None:
        self.history.record_project(self.project)
        self.history.record_commit("shop", self.mirror.commit(sha))
        self.history.record_scan("shop", scan(sha, list(found)))
        self.ended(sha, "scan_report")

    def ended(self, sha: str, stage: str, outcome: StageOutcome = StageOutcome.SUCCEEDED) -> None:
        self.history.record_stage("shop", sha, stage, outcome, NOW, NOW, "run", "")

    def tested(self, sha: str, outcome: CaseOutcome = CaseOutcome.PASSED) -> None:
        self.ended(sha, "docker_image")
        self.history.record_test_run("shop", sha, TestRun((TestCase("a", outcome, 0.1, "it said"),), 1.0))
        bad = outcome is not CaseOutcome.PASSED
        self.ended(sha, "test_results", StageOutcome.FAILED if bad else StageOutcome.SUCCEEDED)

    @property
    def row(self) -> dict[str, Any]:
        (row,) = request_rows(self.history, "shop")
        return row

    @property
    def said(self) -> dict[str, tuple[str, str]]:
        """What the newest statuses say, by stage."""
        rows = newest_statuses(self.history, "shop", 99)
        return {row["context"].rpartition("/")[2]: (row["state"], row["words"]) for row in rows[::-1]}
