"""What becomes of Checkov's processes when something is killed or hangs."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.errors import ScanError
from infraaudit_domain.scans.findings import ScanStatus
from resources.checkov import CheckovRunner, ScanLimits, parent
from tests.conftest import Repository
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e
CONFIG = "scanner/checkov_config.yaml"
BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'
HANG = {"hang.tf": BUCKET}
HANGS = "os.path.exists(words[1] + '/hang.tf') and __import__('time').sleep(600)"

SCRIPT = """
import sys
from pathlib import Path
from resources.checkov import CheckovRunner, parent
from resources.git.mirror import Mirror
url, mirror, plain, sha, scratch, first = sys.argv[1:]
usual = parent.environment
def environment(*folders):
    words = usual(*folders)
    return words | {"PYTHONPATH": words["PYTHONPATH"] + ":" + first}
parent.environment = environment
with CheckovRunner(Path(scratch), {}) as runner:
    print(runner.scan(Mirror(url, Path(mirror)), plain, "no-such-file").status, runner.parent.pid, flush=True)
    runner.scan(Mirror(url, Path(mirror)), sha, "no-such-file")
"""


def test_a_killed_parent_is_started_anew(repository: Repository, tmp_path: Path) -> None:
    sha = repository.write({"main.tf": BUCKET}, "1")
    with CheckovRunner(tmp_path / "scans", {}) as runner:
        before = runner.scan(repository.mirror(), sha, CONFIG)
        assert runner.parent.pid is not None and before.findings
        os.kill(runner.parent.pid, signal.SIGKILL)
        assert runner.scan(repository.mirror(), sha, CONFIG).findings == before.findings


THROUGH_A_LINK = """
import sys
from pathlib import Path
from resources.checkov import CheckovRunner
from resources.git.mirror import Mirror
url, mirror, sha, scratch = sys.argv[1:]
with CheckovRunner(Path(scratch), {}) as runner:
    scan = runner.scan(Mirror(url, Path(mirror)), sha, "no-such-file")
    print(scan.status, [one.reason for one in scan.frameworks if one.reason])
"""


def test_an_installation_behind_a_link_reads_its_own_files(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(sys.prefix)
    python, mirror = tmp_path / "current" / "bin" / "python", repository.mirror()
    words = [mirror.url, mirror.path, repository.write({"main.tf": BUCKET}, "1"), tmp_path / "scans"]
    mirror.fetch()
    done = subprocess.run([python, "-c", THROUGH_A_LINK, *words], capture_output=True, text=True)
    assert done.stdout == "complete []\n", done.stdout + done.stderr


CHILD = """
import json, os, resource, socket, subprocess, sys
from resources.checkov import child
usual = child._scan
def scan(*words):
    if os.environ.get("HOME") != os.environ["TMPDIR"]:
        return usual(*words)  # the warm-up of the parent
    {deed}
    return usual(*words)
child._scan = scan
"""
"""A scan that does something else first: what Checkov may do some day, or what a hole in it would let a commit do."""

NO_UNSHARE = """
import ctypes
class Library(ctypes.CDLL):
    unshare = staticmethod(lambda flags: -1)
ctypes.CDLL = Library
"""
"""A kernel that lets nobody have a network of his own."""


@pytest.fixture
def runner_that(tmp_path: Path, checkov_begins_with: Callable[[str], None]) -> Callable[..., CheckovRunner]:
    """A runner whose scans do a deed first."""

    def start(deed: str, first: str = "", **limits: Any) -> CheckovRunner:
        checkov_begins_with(CHILD.replace("{deed}", deed) + first)
        return CheckovRunner(tmp_path / "scans", {}, limits=ScanLimits(**limits))

    return start


def test_a_scan_that_hangs_fails_and_leaves_nothing_behind(
    repository: Repository, tmp_path: Path, runner_that: Callable[..., CheckovRunner]
) -> None:
    sha = repository.write(HANG, "hang")
    with runner_that(HANGS, seconds=2) as runner:
        scan = runner.scan(repository.mirror(), sha, CONFIG)
        assert runner.parent.pid is not None
        assert _family(runner.parent.pid) == [runner.parent.pid]
    terraform = next(one for one in scan.frameworks if one.framework == "terraform")
    assert terraform.status is ScanStatus.FAILED
    assert "longer than its limit" in terraform.reason
    assert not [path for path in (tmp_path / "scans").iterdir() if path.name.startswith(("scan-", "parent-"))]


def test_checkov_dies_with_whoever_started_it(
    repository: Repository, tmp_path: Path, checkov_begins_with: Callable[[str], None]
) -> None:
    checkov_begins_with(CHILD.replace("{deed}", HANGS))
    plain, sha = repository.write({"main.tf": BUCKET}, "1"), repository.write(HANG, "hang")
    mirror = repository.mirror()
    argv = [sys.executable, "-c", SCRIPT, mirror.url, str(mirror.path), plain, sha, str(tmp_path / "scans")]
    argv.append(str(tmp_path / "first"))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        parent = int(worker.stdout.readline().split()[1])
        eventually(lambda: len(_family(parent)) == 2, 30, "a child that hangs below the parent")
        family = _family(parent)
        worker.kill()
    eventually(lambda: not any(_is_running(pid) for pid in family), 30)


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("os.kill(os.getpid(), 9)", "ended early (signal 9)"),
        ("kept = [bytearray(2**28) for _ in range(64)]", "more memory than its limit"),
        ("json.dump = lambda answer, stream: stream.write('[{')", "report is missing or incomplete"),
        ("open(os.environ['TMPDIR'] + '/big', 'wb').write(bytes(2**21))", "File too large"),
    ],
)
def test_a_checkov_that_fails_gives_a_failed_scan_and_the_reason(
    repository: Repository, runner_that: Callable[..., CheckovRunner], deed: str, reason: str
) -> None:
    sha = repository.write({"main.tf": BUCKET}, "1")
    with runner_that(deed, report_bytes=2**20) as runner:
        scan = runner.scan(repository.mirror(), sha, CONFIG)
    terraform = next(one for one in scan.frameworks if one.framework == "terraform")
    assert terraform.status is ScanStatus.FAILED and scan.status is not ScanStatus.COMPLETE
    assert reason in terraform.reason and terraform.findings == ()


def test_noise_beside_the_report_changes_nothing(
    repository: Repository, runner_that: Callable[..., CheckovRunner], tmp_path: Path
) -> None:
    sha = repository.write({"main.tf": BUCKET}, "1")
    noise = "print('[]{' * 9); os.write(1, b'{not: json' * 9); print('warning: ]', file=sys.stderr)"
    with runner_that(noise) as runner, CheckovRunner(tmp_path / "scans", {}) as quiet:
        noisy = runner.scan(repository.mirror(), sha, CONFIG)
        assert noisy.status is ScanStatus.COMPLETE and noisy.findings
        assert noisy.findings == quiet.scan(repository.mirror(), sha, CONFIG).findings


@pytest.mark.parametrize("has_own_network", [True, False], ids=["empty network", "the host's network"])
def test_a_scan_reaches_neither_network_nor_files_nor_secrets_nor_programs(
    repository: Repository,
    runner_that: Callable[..., CheckovRunner],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    has_own_network: bool,
) -> None:
    (tmp_path / "secret").write_text("s3cret")
    monkeypatch.setenv("BC_API_KEY", "k3y")
    monkeypatch.setenv("GITHUB_TOKEN", "t0ken")
    with socket.create_server(("127.0.0.1", 0)) as server:
        deeds = {
            "network": f"socket.socket().connect(('127.0.0.1', {server.getsockname()[1]}))",
            "name": "socket.getaddrinfo('localhost', 80)",
            "file": f"open({str(tmp_path / 'secret')!r})",
            "shadow": "open('/etc/shadow')",
            "folder": "os.listdir('/root')",
            "program": "subprocess.run(['/bin/true'])",
            "fork": "os.fork()",
        }
        tried = [
            f"try:\n        {deed}; done.append({name!r})\n    except OSError: pass" for name, deed in deeds.items()
        ]
        reported = "done += [name for name in os.environ if 'KEY' in name or 'TOKEN' in name]"
        limits = "done += [] if resource.getrlimit(resource.RLIMIT_AS)[0] == 2**31 else ['memory']"
        words = ["done = []", *tried, reported, limits, "raise ValueError('reached ' + repr(done))"]
        no_network = "" if has_own_network else NO_UNSHARE
        with runner_that("\n    ".join(words), no_network, memory_bytes=2**31) as runner:
            sha = repository.write({"main.tf": BUCKET}, "1")
            scan = runner.scan(repository.mirror(), sha, CONFIG)
            assert runner.parent.is_offline is has_own_network
    assert {one.reason for one in scan.frameworks if one.status is ScanStatus.FAILED} == {
        "Checkov ended early (crash): ValueError: reached []"
    }


def test_a_patch_that_does_not_fit_is_left_out_and_said_so(
    repository: Repository, tmp_path: Path, checkov_begins_with: Callable[[str], None]
) -> None:
    sha = repository.write({"main.tf": BUCKET}, "1")
    with CheckovRunner(tmp_path / "scans", {}) as runner:
        fast = runner.scan(repository.mirror(), sha, CONFIG)
    checkov_begins_with(
        "from resources.checkov.speedups import known_sources\nknown_sources.DIGESTS['asteval.asteval'] = 'older'\n"
    )
    with CheckovRunner(tmp_path / "scans", {}) as runner:
        slow = runner.scan(repository.mirror(), sha, CONFIG)
    assert fast.warnings == () and "remember_evaluations does not fit" in slow.warnings[0]
    assert fast.findings and slow.findings == fast.findings


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("os.closerange(1, 3); time.sleep(600)", "Checkov cannot be started: its own words. Is it installed?"),
        ("time.sleep(600)", "Checkov did not start within 1 s; it said: its own words. The machine may be busy: scan again."),
    ],
)  # fmt: skip
def test_a_checkov_that_does_not_start_has_its_words_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkov_begins_with: Callable[[str], None], deed: str, message: str
) -> None:
    said = "open(os.environ['INFRAAUDIT_SCAN_LOG'], 'w').write('its own words')"
    checkov_begins_with(f"import os, time\n{said}\n{deed}\n")
    monkeypatch.setattr(parent, "_START_SECONDS", 1.0)
    with pytest.raises(ScanError) as raised, CheckovRunner(tmp_path / "scans", {}) as runner:
        runner.parent.ask("scan", tmp_path, tmp_path)
    assert str(raised.value) == message


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *(child for one in children.read_text().split() for child in _family(int(one)))]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
