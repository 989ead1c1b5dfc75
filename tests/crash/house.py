"""One installation as a person runs it, `infraaudit up`, with all its processes, and a repository that it watches."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import dagster as dg
import yaml

from resources.history import History, open_history
from resources.machine.process import dying_with_us
from resources.machine.state_folder import StateFolder
from tests import ROOT
from tests.conftest import free_port
from tests.e2e.installation import bare_repository
from tests.e2e.waiting import eventually

BIN = Path(sys.executable).parent
_BUCKET = 'resource "aws_s3_bucket" "b{number}" {{\n  bucket = "b{number}"\n}}\n'


class House:
    """An installation in a folder; a commit adds a bucket, whose findings are never fixed."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.work, self.bare = bare_repository(folder, "shop")
        self.state = StateFolder(self.home)
        self.port, self.service_port = free_port(), free_port()
        self._up: subprocess.Popen[bytes] | None = None
        self._written = 0
        projects = folder / "projects.yaml"
        projects.write_text(yaml.safe_dump({"projects": [{"name": "shop", "url": str(self.bare)}]}))
        given = {name: value for name, value in os.environ.items() if not name.startswith(("INFRAAUDIT_", "DAGSTER"))}
        self.environment = given | {
            "PYTHONPATH": str(ROOT),
            "INFRAAUDIT_HOME": str(self.home),
            "INFRAAUDIT_REPORTS": str(folder / "reports"),
            "INFRAAUDIT_PROJECTS": str(projects),
            "INFRAAUDIT_POLL_SECONDS": "2",
            "INFRAAUDIT_ENGINE": "none",
            "INFRAAUDIT_TARGET": "none",
            "INFRAAUDIT_BUILD_ISOLATION": "none",
            "INFRAAUDIT_WARM_MINUTES": "0.3",
            "INFRAAUDIT_SERVICE_PORT": str(self.service_port),
        }

    def push(self) -> str:
        """One more commit on the branch."""
        self._written += 1
        sha = self.work.write({f"b{self._written}.tf": _BUCKET.format(number=self._written)}, f"bucket {self._written}")
        self.work.git("push", "--quiet", "-u", "origin", "HEAD:main")
        return sha

    def commits(self) -> set[str]:
        return set(self.work.git("rev-list", "HEAD").split())

    def up(self) -> None:
        """Start the installation where it does not run, as whatever supervises it would."""
        if self._up is not None and self._up.poll() is None:
            return
        words = dying_with_us([str(BIN / "infraaudit"), "up", "--port", str(self.port)], self.environment)
        with (self.home.parent / "up.log").open("ab") as log:
            self._up = subprocess.Popen(words, env=self.environment, stdout=log, stderr=log, cwd=self.home.parent)

    def start_in_terminal(self, sha: str) -> subprocess.Popen[bytes]:
        """`infraaudit run` of a commit, as somebody types it; without a warm parent, so that all of it is one process."""
        words = [str(BIN / "infraaudit"), "run", "--project", "shop", "--commit", sha]
        environment = self.environment | {"INFRAAUDIT_WARM_MINUTES": "0"}
        with (self.home.parent / "run.log").open("ab") as log:
            return subprocess.Popen(words, env=environment, stdout=log, stderr=log, cwd=self.home.parent)

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._up is not None:
            self._up.send_signal(signal.SIGINT)
            self._up.wait(120)

    def processes(self) -> dict[int, str]:
        """Every process of the installation, whoever started it, with its command."""
        mark, found = f"INFRAAUDIT_HOME={self.home}".encode(), dict[int, str]()
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def kill(self, *numbers: int) -> None:
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def workers(self) -> dict[str, int]:
        """The processes that execute runs, by run."""
        found = {}
        for file in (self.state.dagster / "workers").glob("*-*"):
            with suppress(OSError, ValueError, IndexError):
                found[file.name] = int(file.read_text().split()[0])
        return found

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.state.dagster))

    def history(self) -> History:
        return open_history(f"sqlite:///{self.state.history}")

    def wait_until_done(self, seconds: float) -> None:
        """Until each commit has a run that succeeded, and none is under way; what ended is started again meanwhile."""

        def is_done() -> bool:
            self.up()
            if not self.state.history.exists():  # It is the service's, which starts when Dagster has its tables.
                return False
            with self.instance() as instance:
                runs = instance.get_runs()
            ended = {run.tags["dagster/partition"] for run in runs if run.status is dg.DagsterRunStatus.SUCCESS}
            return ended >= self.commits() and all(run.is_finished for run in runs)

        try:
            eventually(is_done, seconds, "each commit has a result", between=1.0)
        except AssertionError as error:
            with self.instance() as instance:
                runs = [(run.run_id[:8], run.status.value, run.tags) for run in instance.get_runs()]
            raise AssertionError(json.dumps(runs, indent=1)) from error
