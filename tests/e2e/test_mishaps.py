"""What goes wrong around the pipeline, with the real program: it says so in one line, leaves nothing, and goes on."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import Repository
from tests.resources.engines import BASE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PROGRAM = Path(sys.executable).with_name("infraaudit")
APPLICATION = {
    "docker/Dockerfile": "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nWORKDIR /app\nCOPY . .\n",
    "src/tests/test_it.py": "def test_it(): ...\n",
}


@pytest.fixture
def installation(tmp_path: Path, repository: Repository) -> dict[str, str]:
    """The environment of an installation whose only project is the test's repository."""
    projects = tmp_path / "projects.yaml"
    projects.write_text(f"projects: [{{name: one, url: {repository.path}}}]")
    return os.environ | {
        "INFRAAUDIT_HOME": str(tmp_path / "home"),
        "INFRAAUDIT_REPORTS": str(tmp_path / "reports"),
        "INFRAAUDIT_PROJECTS": str(projects),
        "INFRAAUDIT_BASE_IMAGE": BASE,
        "INFRAAUDIT_TARGET": "container",
    }


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = [PROGRAM, "run", "--project", "one", "--commit", "main", "--json"]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240)


def _processes_with(word: str) -> list[str]:
    """Programs whose environment holds a word."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def _wait_for(condition: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert child.poll() is None, "it ended before what the test waits for"
        time.sleep(0.1)


def test_an_interrupt_ends_the_demo_and_leaves_nothing_running(tmp_path: Path) -> None:
    environment = os.environ | {"INFRAAUDIT_HOME": str(tmp_path), "INFRAAUDIT_ENGINE": "none"}
    log = tmp_path / "demo/demo.log"
    child = subprocess.Popen([PROGRAM, "demo"], env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    _wait_for(lambda: log.exists() and "scan_report - STEP_START" in log.read_text(), child)
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(60) == 130
    # The server that steps are forked from ends when it sees that its client has.
    deadline = time.monotonic() + 30
    while (left := _processes_with(str(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    assert not (tmp_path / "demo/summary.json").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_is_told_and_the_next_run_works(
    installation: dict[str, str], repository: Repository, small_disk: Path
) -> None:
    repository.write(APPLICATION, "base")
    environment = installation | {"INFRAAUDIT_HOME": str(small_disk), "INFRAAUDIT_ENGINE": "none"}
    child = subprocess.Popen(
        [PROGRAM, "run", "--project", "one", "--commit", "main"], env=environment, stderr=subprocess.PIPE
    )
    _wait_for(lambda: (small_disk / "run.log").exists(), child)
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(64_000_000))
    _, said = child.communicate(timeout=120)
    assert child.returncode == 1
    for done in (said.decode(), _run(environment).stderr):
        assert f"The disk of {small_disk} is full" in done.strip().splitlines()[-1]
        assert "Traceback" not in done
    (small_disk / "filler").unlink()
    again = _run(environment)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["findings"] is not None


class Relay:
    """A socket that leads to the engine's, until it is cut."""

    def __init__(self, address: Path) -> None:
        self._ends: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(address))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect("/var/run/docker.sock")
            self._ends += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=ends, daemon=True).start()

    def cut(self) -> None:
        for end in (self._server, *self._ends):
            with suppress(OSError):  # The other side may have gone first.
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_an_engine_that_dies_in_the_middle_is_told_and_the_next_run_works(
    needs: Callable[[str], None], installation: dict[str, str], repository: Repository, tmp_path: Path
) -> None:
    needs("engine")
    if not Path("/var/run/docker.sock").exists():
        pytest.skip("Podman has no engine that could die")
    slow = APPLICATION["docker/Dockerfile"] + f"RUN sleep 8 # {tmp_path}\n"
    repository.write(APPLICATION | {"docker/Dockerfile": slow}, "base")
    address = tmp_path / "engine.sock"
    environment = installation | {"DOCKER_HOST": f"unix://{address}"}
    relay, log = Relay(address), tmp_path / "home/run.log"
    child = subprocess.Popen(
        [PROGRAM, "run", "--project", "one", "--commit", "main", "--json"], env=environment, stdout=subprocess.PIPE
    )
    _wait_for(lambda: log.exists() and "RUN sleep 8" in log.read_text(), child)
    relay.cut()
    address.unlink()
    printed, _ = child.communicate(timeout=200)
    result = json.loads(printed)
    assert child.returncode == 1
    assert "No container engine answers" in result["reasons"]["docker_image"]
    assert result["image"] is None and result["deployment"]["outcome"] == "skipped"
    assert result["findings"] is not None, "the audit half goes on"
    back = Relay(address)
    again = _run(environment)
    back.cut()
    assert json.loads(again.stdout)["tests"]["passed"] == 1, again.stdout


@pytest.mark.parametrize(
    ("files", "stage", "words"),
    [
        ({"docker/Dockerfile": None}, "docker_image", ("has no docker/Dockerfile", "paths.dockerfile")),
        ({"src/tests/test_it.py": "x = 1\n"}, "test_results", ("no test",)),
        (
            {"configs/kubernetes/deployment.yaml": "a: [1\n", "configs/kubernetes/service.yaml": "{}\n"},
            "deployment",
            ("configs/kubernetes/deployment.yaml", "YAML"),
        ),
    ],
    ids=["no Dockerfile", "no test", "broken manifest"],
)
def test_a_commits_fault_is_told_with_what_to_mend(
    needs: Callable[[str], None],
    installation: dict[str, str],
    repository: Repository,
    files: dict[str, str | None],
    stage: str,
    words: tuple[str, ...],
) -> None:
    needs("engine")
    repository.write({path: text for path, text in (APPLICATION | files).items() if text is not None}, "faulty")
    done = _run(installation)
    result = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert all(word in result["reasons"][stage] for word in words), result["reasons"]
    assert result["deployment"]["outcome"] in ("skipped", "failed") and "Traceback" not in done.stderr
