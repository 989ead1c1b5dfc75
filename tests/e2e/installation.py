"""A whole installation as processes of its own: code server, webserver, daemon and service, each of them killable."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import yaml

from infraaudit_domain.pushes import sign
from resources.dagster.api import DagsterApi
from resources.machine.process import dying_with_us
from tests import ROOT
from tests.conftest import Repository, free_port
from tests.e2e.waiting import eventually

SHIPPED = ROOT / "configs/dagster/dagster.yaml"
BIN = Path(sys.executable).parent
ROLES = ("code", "webserver", "daemon", "service")
SECRET = "a secret of every project"


class Installation:
    """Starts, kills and asks the processes of one installation in a folder."""

    def __init__(
        self,
        home: Path,
        projects: Sequence[dict[str, Any]],
        poll_seconds: int = 1,
        instance: dict[str, Any] | None = None,
    ) -> None:
        self.home = home
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {role: free_port() for role in ("code", "webserver", "service")}
        (home / "dagster").mkdir(parents=True)
        config = yaml.safe_load(SHIPPED.read_text())
        (home / "dagster/dagster.yaml").write_text(yaml.safe_dump(config | (instance or {})))
        (home / "projects.yaml").write_text(yaml.safe_dump({"projects": list(projects)}))
        server = {"host": "127.0.0.1", "port": self.ports["code"], "location_name": "small"}
        (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("INFRAAUDIT_", "DAGSTER"))
        } | {
            "DAGSTER_HOME": str(home / "dagster"),
            "PYTHONPATH": str(ROOT),
            "INFRAAUDIT_HOME": str(home),
            "INFRAAUDIT_BUILD_ISOLATION": os.environ["INFRAAUDIT_BUILD_ISOLATION"],
            "INFRAAUDIT_WARM_MINUTES": os.environ["INFRAAUDIT_WARM_MINUTES"],
            "INFRAAUDIT_PROJECTS": str(home / "projects.yaml"),
            "INFRAAUDIT_POLL_SECONDS": str(poll_seconds),
            "INFRAAUDIT_DAGSTER_URL": f"http://127.0.0.1:{self.ports['webserver']}",
            "INFRAAUDIT_SERVICE_PORT": str(self.ports["service"]),
            "INFRAAUDIT_WEBHOOK_SECRETS": json.dumps({str(p["name"]): [SECRET] for p in projects if "name" in p}),
        }

    def __enter__(self) -> "Installation":
        # Dagster's processes cannot make its SQLite files side by side.
        self.instance().dispose()
        for role in ROLES:
            self.start(role)
        return self

    def __exit__(self, *_: object) -> None:
        for role in list(self.processes):
            self.kill(role)
        # Runs outlive the code server that started them; they are in its session.

    def command(self, role: str) -> list[str]:
        workspace = str(self.home / "workspace.yaml")
        return {
            "code": [str(BIN / "dagster"), "api", "grpc", "-m", "tests.e2e.small_project", "-h", "127.0.0.1",
                     "-p", str(self.ports["code"]), "--location-name", "small"],
            "webserver": [str(BIN / "dagster-webserver"), "-w", workspace, "-p", str(self.ports["webserver"])],
            "daemon": [str(BIN / "dagster-daemon"), "run", "-w", workspace],
            "service": [str(BIN / "infraaudit"), "serve"],
        }[role]  # fmt: skip

    def start(self, role: str) -> None:
        with open(self.home / f"{role}.log", "ab") as log:
            argv = dying_with_us(self.command(role), self.environment)
            self.processes[role] = subprocess.Popen(argv, env=self.environment, stdout=log, stderr=log, cwd=self.home)

    def kill(self, role: str) -> None:
        process = self.processes.pop(role)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        eventually(ready, seconds, what)

    def wait_until_up(self, seconds: float = 60) -> None:
        self.wait_until(lambda: self.answers("webserver", "/server_info"), seconds, "the webserver answers")
        self.wait_until(lambda: self.answers("service", "/healthz"), seconds, "the service answers")

    def answers(self, role: str, path: str) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.ports[role]}{path}", timeout=20).status_code == 200
        return False

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.home / "dagster"))

    def started_at(self, run_key: str, seconds: float = 120) -> float:
        """When the run of a key started, in seconds since 1970; waits for it."""
        api = DagsterApi(self.environment["INFRAAUDIT_DAGSTER_URL"])
        started: list[float] = []

        def has_started() -> bool:
            started.extend(run.started_at for run in api.runs(run_key) if run.started_at)
            return bool(started)

        self.wait_until(has_started, seconds, f"the run of {run_key} has started")
        return started[0]

    def post(self, project: str, branch: str, before: str, after: str) -> httpx.Response | None:
        """Send a webhook as a forge does; None where nobody answers."""
        body = json.dumps({"ref": f"refs/heads/{branch}", "before": before, "after": after}).encode()
        url = f"http://127.0.0.1:{self.ports['service']}/webhooks/{project}"
        with suppress(httpx.HTTPError):
            return httpx.post(url, content=body, headers={"X-InfraAudit-Signature": sign(body, SECRET)}, timeout=60)
        return None


def bare_repository(folder: Path, name: str) -> tuple[Repository, Path]:
    """A working repository and the bare one that it pushes to."""
    bare = folder / f"{name}.git"
    work = Repository(folder / name)
    work.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    work.git("remote", "add", "origin", str(bare))
    return work, bare
