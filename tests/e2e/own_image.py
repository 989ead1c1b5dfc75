"""What the tests of our own image share: the image, Debian's PostgreSQL beside it, and an installation's GraphQL."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests import ROOT
from tests.conftest import _postgres_bin, require

IMAGE = "infraaudit-test/pipeline:local"
NAME = f"infraaudit-test-{os.getpid()}"
PASSWORD = "only-for-this-test"
OURS = 10001
"""The user that the image runs as."""


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True)
    assert not check or done.returncode == 0, f"docker {words[0]}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def open_folder(name: str) -> Path:
    """A folder that other users may enter: pytest's own are shut to all but this one, again with every session."""
    folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-{name}-"))
    folder.chmod(0o755)
    return folder


@lru_cache(maxsize=1)
def build_image() -> str:
    """The image, built once for all tests on the base that is made from Debian's packages."""
    base = subprocess.run([ROOT / "docker" / "make-base-image.sh"], capture_output=True, text=True, check=True)
    program = next(path for path in ("/usr/bin/docker", shutil.which("docker")) if path and Path(path).exists())
    words = ["build", "--quiet", "--build-arg", f"BASE_IMAGE={base.stdout.strip()}", "--file", "docker/Dockerfile"]
    build = subprocess.run(
        [program, *words, "--tag", IMAGE, "."], cwd=ROOT, env=os.environ | {"DOCKER_BUILDKIT": "1"}, capture_output=True
    )
    assert build.returncode == 0, build.stderr.decode()[-2000:]
    return IMAGE


@dataclass(frozen=True)
class Postgres:
    """A server with the two databases of an installation."""

    host: str
    port: int
    restart: Callable[[], None]
    """Stop it as a package upgrade does, with open connections cut, and start it again."""

    def query(self, database: str, query: str) -> str:
        words = [
            "psql",
            "--host",
            self.host,
            "--port",
            str(self.port),
            "--username",
            "infraaudit",
            "--dbname",
            database,
        ]
        done = subprocess.run(
            [*words, "-At", "--command", query], env=os.environ | {"PGPASSWORD": PASSWORD},
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()


@contextmanager
def running_postgres(host: str, port: int) -> Iterator[Postgres]:
    """Debian's PostgreSQL on an address of this machine."""
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
    options = f"-c listen_addresses={host} -c unix_socket_directories={data.parent} -c fsync=off -p {port}"
    control = (f"{programs}/pg_ctl", "--pgdata", str(data), "--log", str(data.parent / "log"), "--wait")
    run(*control, "--options", options, "start")
    try:
        server = Postgres(host, port, lambda: run(*control, "--mode=fast", "--options", options, "restart"))
        for database in ("dagster", "infraaudit"):
            server.query("postgres", f"CREATE DATABASE {database}")
        yield server
    finally:
        run(*control, "--mode=immediate", "stop")
        shutil.rmtree(data.parent)


@dataclass
class Dagster:
    """The webserver of an installation."""

    url: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"} | self.login()
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.load(answer)["data"])

    def login(self) -> dict[str, str]:
        """The headers of a login, where the way to the webserver asks for one."""
        return {}

    def answers(self) -> bool | None:
        try:
            return self.ask("{version}") is not None
        except OSError:
            return None

    def runs(self) -> list[dict[str, Any]]:
        found = self.ask("{runsOrError { ... on Runs { results { runId status jobName tags { key value } } } } }")
        runs = found["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]

    def run_of(self, sha: str, *status: str) -> dict[str, Any] | None:
        """The newest run of a commit that has one of the statuses."""
        of_commit = (run for run in self.runs() if run["tags"].get("dagster/partition") == sha)
        return next((run for run in of_commit if run["status"] in status), None)

    def why(self, run: str) -> str:
        """The errors in the events of a run."""
        events = "eventConnection { events { ... on ErrorEvent { error { message causes { message } } } } }"
        found = self.ask(f'{{runOrError(runId: "{run}") {{ ... on Run {{ {events} }} }} }}')
        return json.dumps([event for event in found["runOrError"]["eventConnection"]["events"] if event], indent=1)


def add_commit(repository: Path, branch: str = "main") -> str:
    """A commit that changes no file."""
    identity = {f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    made = (
        f'git commit-tree -p "$(git rev-parse -q --verify {branch} || git rev-parse main)" -m Another "main^{{tree}}"'
    )
    subprocess.run(
        ["sh", "-ec", f"git update-ref refs/heads/{branch} $({made})"],
        cwd=repository, env=os.environ | identity | {"HOME": "/"}, check=True,
    )  # fmt: skip
    return head(repository, branch)


def head(repository: Path, branch: str = "main") -> str:
    words = ["git", "-c", "safe.directory=*", "-C", str(repository), "rev-parse", branch]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
