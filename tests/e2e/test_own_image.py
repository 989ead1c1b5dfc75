"""Our own image in its roles, as docker/compose.yaml starts them: PostgreSQL, and each run in its own container.

PostgreSQL is Debian's; compose itself is not needed, so that this runs where its images cannot be pulled.
"""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples.make_history import make_history
from tests.conftest import _postgres_bin, require

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
IMAGE = "infraaudit-test/pipeline:local"
NAME = f"infraaudit-test-{os.getpid()}"
PASSWORD = "only-for-this-test"


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True)
    assert not check or done.returncode == 0, f"docker {words[0]}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def open_folder(name: str) -> Path:
    """A folder that other users may enter: pytest's own are shut to all but this one, again with every session."""
    folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-{name}-"))
    folder.chmod(0o755)
    return folder


def until(what: str, look: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


@pytest.fixture(scope="module")
def image() -> str:
    """The image, built on the base that is made from Debian's packages."""
    require("engine")
    base = subprocess.run([ROOT / "docker" / "make-base-image.sh"], capture_output=True, text=True, check=True)
    program = next(path for path in ("/usr/bin/docker", shutil.which("docker")) if path and Path(path).exists())
    words = ["build", "--quiet", "--build-arg", f"BASE_IMAGE={base.stdout.strip()}", "--file", "docker/Dockerfile"]
    build = subprocess.run(
        [program, *words, "--tag", IMAGE, "."], cwd=ROOT, env=os.environ | {"DOCKER_BUILDKIT": "1"}, capture_output=True
    )
    assert build.returncode == 0, build.stderr.decode()[-2000:]
    return IMAGE


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    """A network of the engine, by the address that this machine has in it."""
    require("engine")
    docker("network", "create", NAME)
    yield docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", NAME)
    docker("network", "rm", NAME, check=False)


@pytest.fixture(scope="module")
def postgres(network: str) -> Iterator[str]:
    """Debian's PostgreSQL on that address, with the two databases of compose.yaml."""
    require("postgresql")
    programs = _postgres_bin()
    data = open_folder("postgres") / "data"
    user = "postgres" if os.getuid() == 0 else None
    if user:
        os.chown(data.parent, pwd.getpwnam(user).pw_uid, -1)
    secret = data.parent / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)

    def run(*words: str) -> None:
        subprocess.run(words, user=user, check=True, capture_output=True, cwd=data.parent)

    run(f"{programs}/initdb", "--pgdata", str(data), "--username=infraaudit", "--auth=scram-sha-256",
        f"--pwfile={secret}", "--no-sync")  # fmt: skip
    with (data / "pg_hba.conf").open("a") as access:
        access.write("host all all 0.0.0.0/0 scram-sha-256\n")
    options = f"-c listen_addresses={network} -c unix_socket_directories={data.parent} -c fsync=off -p 5432"
    log = str(data.parent / "log")
    run(f"{programs}/pg_ctl", "--pgdata", str(data), "--log", log, "--wait", "--options", options, "start")
    for database in ("dagster", "infraaudit"):
        psql(network, "postgres", f"CREATE DATABASE {database}")
    yield network
    run(f"{programs}/pg_ctl", "--pgdata", str(data), "--mode=immediate", "stop")
    shutil.rmtree(data.parent)


def psql(host: str, database: str, query: str) -> str:
    words = ["psql", "--host", host, "--username", "infraaudit", "--dbname", database, "-At", "--command", query]
    done = subprocess.run(words, env=os.environ | {"PGPASSWORD": PASSWORD}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass
class Installation:
    url: str
    postgres: str
    repository: Path

    def ask(self, query: str) -> dict[str, Any]:
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(json.load(answer)["data"])

    def runs(self) -> list[dict[str, Any]]:
        found = self.ask("{runsOrError { ... on Runs { results { runId status tags { key value } } } } }")
        return list(found["runsOrError"]["results"])

    def run_of(self, sha: str, *status: str) -> dict[str, Any] | None:
        """The run of a commit, once it has one of the statuses."""
        for run in self.runs():
            tags = {tag["key"]: tag["value"] for tag in run["tags"]}
            if tags.get("dagster/partition") == sha and run["status"] in status:
                return run | {"tags": tags}
        return None

    def why(self, run: str) -> str:
        """The errors in the events of a run."""
        events = "eventConnection { events { ... on ErrorEvent { error { message causes { message } } } } }"
        found = self.ask(f'{{runOrError(runId: "{run}") {{ ... on Run {{ {events} }} }} }}')
        return json.dumps([event for event in found["runOrError"]["eventConnection"]["events"] if event], indent=1)


@pytest.fixture(scope="module")
def installation(image: str, postgres: str) -> Iterator[Installation]:
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
        "INFRAAUDIT_POSTGRES_HOST": postgres,
        "INFRAAUDIT_DATABASE_URL": f"postgresql+psycopg2://infraaudit@{postgres}:5432/infraaudit",
        "INFRAAUDIT_DAGSTER_CONFIG": "/etc/infraaudit/dagster.yaml",
        "INFRAAUDIT_DAGSTER_URL": "http://webserver:3000",
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

    roles = ("code", "webserver", "daemon")
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
        address = docker("port", f"{NAME}-webserver", "3000").splitlines()[0]
        found = Installation(f"http://{address}", postgres, shared / "repository.git")
        until("the webserver", lambda: answers(found), 90)
        yield found
    finally:
        for role in roles:
            print(f"--- {role}", subprocess.run(["docker", "logs", "--tail", "30", f"{NAME}-{role}"],
                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout)  # fmt: skip
        workers = docker("ps", "--all", "--quiet", "--filter", f"network={NAME}", check=False).split()
        docker("rm", "--force", "--volumes", *workers, *(f"{NAME}-{role}" for role in roles), check=False)
        docker("volume", "rm", f"{NAME}-state", check=False)
        shutil.rmtree(shared.parent)


def answers(installation: Installation) -> bool | None:
    try:
        return installation.ask("{version}") is not None
    except OSError:
        return None


def test_a_commit_goes_through_in_a_container_of_its_own(installation: Installation) -> None:
    sha = head(installation.repository)
    run = until("the run's end", lambda: installation.run_of(sha, "SUCCESS", "FAILURE", "CANCELED"), 240)
    assert run["status"] == "SUCCESS", installation.why(run["runId"])
    assert run["tags"]["docker/container_id"]
    assert psql(installation.postgres, "infraaudit", "SELECT count(*) FROM scans") == "1"
    worker = ("ps", "--all", "--quiet", "--filter", f"label=dagster/run_id={run['runId']}")
    until("the end of the run's container", lambda: docker(*worker) == "" or None, 30)


def test_a_run_whose_container_is_killed_ends_as_failed(installation: Installation) -> None:
    sha = add_commit(installation.repository)
    run = until("the run's start", lambda: installation.run_of(sha, "STARTED"), 120)
    docker("kill", docker("ps", "--quiet", "--filter", f"label=dagster/run_id={run['runId']}"))
    ended = until("the end of a killed run", lambda: installation.run_of(sha, "FAILURE", "SUCCESS"), 90)
    assert ended["status"] == "FAILURE"


def head(repository: Path) -> str:
    words = ["git", "-c", f"safe.directory={repository}", "-C", str(repository), "rev-parse", "main"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def add_commit(repository: Path) -> str:
    identity = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    script = 'git commit-tree -p main -m "Another" "main^{tree}" | xargs git update-ref refs/heads/main'
    owner = {"user": 10001, "group": 10001, "extra_groups": []} if os.getuid() == 0 else {}
    subprocess.run(
        ["sh", "-ec", script], cwd=repository, env=os.environ | identity | {"HOME": "/"}, check=True, **owner
    )
    return head(repository)
