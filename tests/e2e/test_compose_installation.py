"""docker/compose.yaml on the real engine, installed and kept by the commands of docs/operations.md as they are written.

PostgreSQL, Prometheus and Alertmanager are made from Debian's packages, as where no registry can be reached; Grafana,
which Debian does not have, stays out.
"""

import base64
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import require
from tests.e2e.checkout import fresh_checkout
from tests.e2e.documented import run_documented
from tests.e2e.own_image import NAME, Dagster, docker, open_folder
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.usefixtures("sample")]
ROLES = {"code", "webserver", "ui", "daemon", "service", "postgres", "prometheus", "alertmanager"}
EXAMPLE = "/var/lib/infraaudit/example.git"


@dataclass
class Installation(Dagster):
    checkout: Path
    environment: dict[str, str]

    def documented(self, first: str) -> str:
        printed = run_documented(first, self.checkout, self.environment)
        self.url = f"http://{self.address('ui', 3080)}"  # A new container may have another port.
        return printed

    def login(self) -> dict[str, str]:
        password = (self.checkout / "docker/secrets/ui_password").read_text().strip()
        return {"Authorization": "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()}

    def compose(self, *words: str, check: bool = True) -> str:
        command = ["docker", "compose", "--file", "docker/compose.yaml", *words]
        done = subprocess.run(command, cwd=self.checkout, env=self.environment, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr[-2000:]
        return done.stdout.strip()

    def address(self, role: str, port: int) -> str:
        return self.compose("port", role, str(port))

    def health(self) -> dict[str, str]:
        shown = (json.loads(line) for line in self.compose("ps", "--format", "json").splitlines())
        return {role["Service"]: role["Health"] for role in shown}

    def get(self, role: str, port: int, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.address(role, port)}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def query(self, query: str) -> str:
        words = ("psql", "--username", "infraaudit", "--dbname", "infraaudit", "-At", "--command", query)
        return self.compose("exec", "-T", "postgres", *words)

    def git(self, command: str) -> str:
        identity = "-c user.name=Ada -c user.email=ada@example.org"
        return self.compose("exec", "-T", "service", "sh", "-euc", f"cd {EXAMPLE}; git() {{ command git {identity} \"$@\"; }}; {command}")  # fmt: skip

    def push(self) -> str:
        """A commit that changes no file; its SHA."""
        self.git('git update-ref refs/heads/main $(git commit-tree -p main -m Another "main^{tree}")')
        return self.git("git rev-parse main")

    def started(self, sha: str) -> dict[str, Any]:
        return dict(until("the run's start", lambda: self.run_of(sha, "STARTED"), 120))

    def succeeded(self, sha: str) -> dict[str, Any]:
        run = until("the run's end", lambda: self.run_of(sha, "SUCCESS", "FAILURE", "CANCELED"), 240)
        assert run["status"] == "SUCCESS", self.why(run["runId"])
        return dict(run)

    def run_of(self, sha: str, *status: str) -> dict[str, Any] | None:
        try:
            return super().run_of(sha, *status)
        except (urllib.error.URLError, ConnectionError):  # The webserver asks the database, which a test restarts.
            return None


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    for part in ("engine", "compose"):
        require(part)
    checkout = fresh_checkout(open_folder("compose"))
    # Only the newest of the sample's commits, so that the tests need not wait for ten.
    projects = yaml.safe_load((checkout / "docker" / "projects.yaml").read_text())
    projects["projects"][0]["first_commits"] = 1
    (checkout / "docker" / "projects.yaml").write_text(yaml.safe_dump(projects))
    ports = ("UI_PORT", "SERVICE_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT")
    environment = os.environ | dict.fromkeys(ports, "0") | {
        "COMPOSE_PROJECT_NAME": NAME, "INFRAAUDIT_IMAGE": f"{NAME}/pipeline:local", "INFRAAUDIT_POLL_SECONDS": "2",
    }  # fmt: skip
    found = Installation("", checkout, environment)
    try:
        run_documented("umask 022", checkout, environment)
        run_documented("docker/make-debian-parts.sh", checkout, environment)
        found.documented("docker compose -f docker/compose.yaml up --build --wait")
        yield found
    finally:
        print(found.compose("ps", "--all", check=False))
        print(found.compose("logs", "--no-color", "--tail", "40", check=False)[-12000:])
        workers = docker(
            "ps", "--all", "--quiet", "--filter", f"network={NAME}_default", "--filter", "label=dagster/run_id"
        )
        if workers:
            docker("rm", "--force", *workers.split(), check=False)
        found.compose("down", "--volumes", "--timeout", "3", check=False)
        docker("image", "rm", f"{NAME}/pipeline:local", check=False)
        shutil.rmtree(checkout.parent)


def test_every_role_is_healthy_and_watched(installation: Installation) -> None:
    assert installation.health() == dict.fromkeys(ROLES, "healthy")
    assert "infraaudit_" in installation.get("service", 3001, "/metrics")

    def prometheus(path: str) -> Any:
        return json.loads(installation.get("prometheus", 9090, path))["data"]

    def scraped() -> bool | None:
        targets = prometheus("/api/v1/targets")["activeTargets"]
        return [(target["labels"]["job"], target["health"]) for target in targets] == [("infraaudit", "up")] or None

    until("the first scrape", scraped, 60)
    assert [m["url"] for m in prometheus("/api/v1/alertmanagers")["activeAlertmanagers"]] == [
        "http://alertmanager:9093/api/v2/alerts"
    ]
    assert prometheus("/api/v1/rules")["groups"]


def test_a_commit_goes_through_in_a_container_of_its_own(installation: Installation) -> None:
    run = installation.succeeded(installation.git("git rev-parse main"))
    assert run["tags"]["docker/container_id"]
    # The page's links are for people, who cannot reach http://webserver:3000.
    page = installation.get("service", 3001, "/projects/infraauditai")
    assert f'href="http://localhost:3000/runs/{run["runId"]}"' in page
    assert installation.query("SELECT count(*) FROM scans") == "1"
    worker = ("ps", "--all", "--quiet", "--filter", f"label=dagster/run_id={run['runId']}")
    until("the end of the run's container", lambda: docker(*worker) == "" or None, 30)


def test_no_secret_is_shown_by_the_engine(installation: Installation) -> None:
    password = (installation.checkout / "docker/secrets/infraaudit/PGPASSWORD").read_text().strip()
    installation.started(installation.push())
    containers = docker("ps", "--quiet", "--filter", f"network={NAME}_default").split()
    shown = docker("inspect", *containers)
    assert "dagster/run_id" in shown
    assert password not in shown


def test_a_run_whose_container_is_killed_fails_and_is_started_once_more(installation: Installation) -> None:
    sha = installation.push()
    run = installation.started(sha)
    docker("kill", docker("ps", "--quiet", "--filter", f"label=dagster/run_id={run['runId']}"))
    failed = until("the end of a killed run", lambda: installation.run_of(sha, "FAILURE"), 90)
    assert failed["runId"] == run["runId"]
    again = until("the end of its second run", lambda: installation.run_of(sha, "SUCCESS"), 120)
    assert again["tags"]["dagster/parent_run_id"] == run["runId"]


def test_a_run_survives_a_restart_of_the_code_location(installation: Installation) -> None:
    sha = installation.push()
    run = installation.started(sha)
    installation.compose("restart", "--timeout", "3", "code")
    assert installation.succeeded(sha)["runId"] == run["runId"]
    assert [found["runId"] for found in installation.runs() if found["tags"].get("dagster/partition") == sha] == [
        run["runId"]
    ]


def test_a_restart_of_the_database_in_the_middle_of_a_run_loses_nothing(installation: Installation) -> None:
    """The run goes on or is started once more; either way the commit ends whole, and the next one is taken."""
    sha = installation.push()
    installation.started(sha)
    installation.compose("restart", "postgres")
    until("the run's success", lambda: installation.run_of(sha, "SUCCESS"), 240)
    assert installation.query(f"SELECT status FROM scans WHERE sha = '{sha}'") == "complete"
    installation.succeeded(installation.push())


def test_a_new_password_is_taken_and_the_old_one_refused(installation: Installation) -> None:
    secret = installation.checkout / "docker/secrets/infraaudit/PGPASSWORD"
    old = secret.read_text().strip()
    installation.documented("openssl rand -hex 24 > docker/secrets/infraaudit/PGPASSWORD")
    assert secret.read_text().strip() != old
    asked = ("psql", "postgresql://infraaudit@127.0.0.1/dagster", "--command", "SELECT 1")
    assert installation.compose("exec", "-T", "--env", f"PGPASSWORD={old}", "postgres", *asked, check=False) == ""
    assert installation.health() == dict.fromkeys(ROLES, "healthy")
    installation.succeeded(installation.push())


def test_a_backup_brings_an_emptied_installation_back(installation: Installation) -> None:
    def facts() -> set[str]:
        """Whole rows, and the runs. Nothing of them changes when the sensor, as it should, takes the sample for
        force-pushed: its repository is made anew without the commits of these tests."""
        tables = ("commits", "framework_scans", "findings", "stages")
        rows = [installation.query(f"SELECT f::text FROM {table} f").splitlines() for table in tables]
        assert all(rows)
        return set().union(*rows) | {run["runId"] for run in installation.runs()}

    def ended() -> bool | None:
        return {run["status"] for run in installation.runs()} <= {"SUCCESS", "FAILURE", "CANCELED"} or None

    until("the last run's end", ended, 120)
    before = facts()
    installation.documented(
        "docker compose -f docker/compose.yaml exec -T service infraaudit-entrypoint infraaudit backup"
    )
    installation.compose("down", "--volumes", "--timeout", "3")
    installation.documented("docker compose -f docker/compose.yaml up --wait postgres")
    assert installation.health() == dict.fromkeys(ROLES, "healthy")
    assert facts() >= before
