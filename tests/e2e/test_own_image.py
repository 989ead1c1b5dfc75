"""Our own image in its roles, as docker/compose.yaml starts them: PostgreSQL, and each run in its own container.

PostgreSQL is Debian's; compose itself is not needed, so that this runs where its images cannot be pulled.
"""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.make_history import make_history
from tests.conftest import require
from tests.e2e.own_image import (
    NAME,
    OURS,
    PASSWORD,
    ROOT,
    Dagster,
    Postgres,
    add_commit,
    build_image,
    docker,
    head,
    open_folder,
    running_postgres,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def image() -> str:
    require("engine")
    return build_image()


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    """A network of the engine, by the address that this machine has in it."""
    require("engine")
    docker("network", "create", NAME)
    yield docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", NAME)
    docker("network", "rm", NAME, check=False)


@pytest.fixture(scope="module")
def postgres(network: str) -> Iterator[Postgres]:
    with running_postgres(network, 5432) as server:
        yield server


@dataclass
class Installation(Dagster):
    service: str
    postgres: Postgres
    repository: Path


@pytest.fixture(scope="module")
def installation(image: str, postgres: Postgres) -> Iterator[Installation]:
    """Code location, webserver and daemon, each a container, with what compose.yaml gives them."""
    shared = open_folder("shared") / "etc"
    make_history(shared / "repository.git", commits=1)
    project = {"name": "infraauditai", "url": "/etc/infraaudit/repository.git", "default": True}
    (shared / "projects.yaml").write_text(json.dumps({"projects": [project]}))
    (shared / "password").write_text(PASSWORD)
    instance = (ROOT / "configs" / "dagster" / "dagster-compose.yaml").read_text()
    instance = instance.replace("infraaudit-state:", f"{NAME}-state:").replace("infraaudit-projects:", f"{shared}:")
    (shared / "dagster.yaml").write_text(instance)
    (shared / "workspace.yaml").write_text((ROOT / "configs/dagster/workspace-compose.yaml").read_text())
    subprocess.run(["chown", "-R", "10001:10001", shared], check=True)

    environment = {
        "PGPASSWORD_FILE": "/etc/infraaudit/password",
        "INFRAAUDIT_POSTGRES_HOST": postgres.host,
        "INFRAAUDIT_DATABASE_URL": f"postgresql+psycopg2://infraaudit@{postgres.host}:5432/infraaudit",
        "INFRAAUDIT_DAGSTER_CONFIG": "/etc/infraaudit/dagster.yaml",
        "INFRAAUDIT_DAGSTER_URL": "http://webserver:3000",
        "INFRAAUDIT_SERVICE_HOST": "0.0.0.0",
        "INFRAAUDIT_PROJECTS": "/etc/infraaudit/projects.yaml",
        "INFRAAUDIT_BASE_IMAGE": "infraaudit/base:bookworm",
        "INFRAAUDIT_ENGINE": "docker",
        "INFRAAUDIT_TARGET": "none",
        "INFRAAUDIT_IMAGE": image,
        "INFRAAUDIT_NETWORK": NAME,
    }
    group = os.stat("/var/run/docker.sock").st_gid

    def start(role: str, *command: str, engine: bool = True, options: tuple[str, ...] = ()) -> None:
        words = ["run", "--detach", "--init", "--name", f"{NAME}-{role}", "--network", NAME, "--network-alias", role]
        words += ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"]
        words += ["--volume", f"{NAME}-state:/var/lib/infraaudit", "--volume", f"{shared}:/etc/infraaudit:ro", *options]
        words += [word for key, value in environment.items() for word in ("--env", f"{key}={value}")]
        if engine:
            words += ["--volume", "/var/run/docker.sock:/var/run/docker.sock", "--group-add", str(group)]
        docker(*words, image, *command)

    roles = ("code", "webserver", "daemon", "service")
    workspace = ("--workspace", "/etc/infraaudit/workspace.yaml")
    try:
        start("code", "dagster", "code-server", "start", "--host", "0.0.0.0", "--port", "4000",
              "--module-name", "infraaudit_assets.definitions", engine=False)  # fmt: skip
        healthy = ("exec", f"{NAME}-code", "dagster", "api", "grpc-health-check", "--port", "4000")
        until(
            "the code location",
            lambda: subprocess.run(["docker", *healthy], capture_output=True).returncode == 0 or None,
            90,
        )
        start("webserver", "dagster-webserver", "--host", "0.0.0.0", "--port", "3000", *workspace,
              options=("--publish", "127.0.0.1::3000"))  # fmt: skip
        start("daemon", "dagster-daemon", "run", *workspace)
        start("service", "infraaudit", "serve", engine=False, options=("--publish", "127.0.0.1::3001"))
        address = docker("port", f"{NAME}-webserver", "3000").splitlines()[0]
        service = docker("port", f"{NAME}-service", "3001").splitlines()[0]
        found = Installation(f"http://{address}", f"http://{service}", postgres, shared / "repository.git")
        until("the webserver", found.answers, 90)
        yield found
    finally:
        for role in roles:
            print(f"--- {role}", subprocess.run(["docker", "logs", "--tail", "30", f"{NAME}-{role}"],
                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout)  # fmt: skip
        workers = docker("ps", "--all", "--quiet", "--filter", f"network={NAME}", check=False).split()
        docker("rm", "--force", "--volumes", *workers, *(f"{NAME}-{role}" for role in roles), check=False)
        docker("volume", "rm", f"{NAME}-state", check=False)
        shutil.rmtree(shared.parent)


def test_a_commit_goes_through_in_a_container_of_its_own(installation: Installation) -> None:
    sha = head(installation.repository)
    run = until("the run's end", lambda: installation.run_of(sha, "SUCCESS", "FAILURE", "CANCELED"), 240)
    assert run["status"] == "SUCCESS", installation.why(run["runId"])
    assert run["tags"]["docker/container_id"]
    assert installation.postgres.query("infraaudit", "SELECT count(*) FROM scans") == "1"
    with urllib.request.urlopen(f"{installation.service}/metrics", timeout=20) as answer:
        assert "infraaudit_" in answer.read().decode()
    worker = ("ps", "--all", "--quiet", "--filter", f"label=dagster/run_id={run['runId']}")
    until("the end of the run's container", lambda: docker(*worker) == "" or None, 30)


def test_a_run_whose_container_is_killed_fails_and_is_started_once_more(installation: Installation) -> None:
    sha = add_commit(installation.repository, OURS if os.getuid() == 0 else None)
    run = until("the run's start", lambda: installation.run_of(sha, "STARTED"), 120)
    docker("kill", docker("ps", "--quiet", "--filter", f"label=dagster/run_id={run['runId']}"))
    failed = until("the end of a killed run", lambda: installation.run_of(sha, "FAILURE"), 90)
    assert failed["runId"] == run["runId"]
    again = until("the end of its second run", lambda: installation.run_of(sha, "SUCCESS"), 120)
    assert again["tags"]["dagster/parent_run_id"] == run["runId"]


def test_a_restart_of_the_database_in_the_middle_of_a_run_loses_nothing(installation: Installation) -> None:
    """The run goes on or is started once more; either way the commit ends whole, and the next one is taken."""
    owner = OURS if os.getuid() == 0 else None
    sha = add_commit(installation.repository, owner)
    until("the run's start", lambda: installation.run_of(sha, "STARTED"), 120)
    installation.postgres.restart()

    def success() -> object | None:
        try:
            return installation.run_of(sha, "SUCCESS")
        except urllib.error.HTTPError:  # The webserver asks the database too.
            return None

    until("the run's success", success, 240)
    scanned = f"SELECT status FROM scans WHERE sha = '{sha}'"
    assert installation.postgres.query("infraaudit", scanned) == "complete"
    after = add_commit(installation.repository, owner)
    until("the next commit's run", lambda: installation.run_of(after, "STARTED", "SUCCESS"), 120)
