"""What becomes of Checkov's processes when something is killed or hangs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infraaudit_assets.domain.findings import ScanStatus
from resources.checkov_runner import CheckovRunner, ScanLimits
from tests.conftest import Repository

pytestmark = pytest.mark.e2e
CONFIG = "scanner/checkov_config.yaml"
BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'
# A pattern that backtracks for ever is a hang that a commit can really bring about.
HANG = {CONFIG: 'framework: terraform\nskip-path: ["(a|a)+$"]\n', "a" * 60 + "!.tf": BUCKET}

SCRIPT = """
import sys
from pathlib import Path
from resources.checkov_runner import CheckovRunner
from resources.git import Mirror
url, mirror, sha, scratch = sys.argv[1:]
with CheckovRunner(Path(scratch), {}) as runner:
    print(runner.scan(Mirror(url, Path(mirror)), sha, "no-such-file").status, runner.parent.pid, flush=True)
    runner.scan(Mirror(url, Path(mirror)), sha, "scanner/checkov_config.yaml")
"""


def test_a_killed_parent_is_started_anew(repository: Repository, tmp_path: Path) -> None:
    sha = repository.write({"main.tf": BUCKET}, "1")
    with CheckovRunner(tmp_path / "scans", {}) as runner:
        before = runner.scan(repository.mirror(), sha, CONFIG)
        assert runner.parent.pid is not None and before.findings
        os.kill(runner.parent.pid, signal.SIGKILL)
        assert runner.scan(repository.mirror(), sha, CONFIG).findings == before.findings


def test_a_scan_that_hangs_fails_and_leaves_nothing_behind(repository: Repository, tmp_path: Path) -> None:
    sha = repository.write(HANG, "hang")
    with CheckovRunner(tmp_path / "scans", {}, limits=ScanLimits(seconds=2)) as runner:
        scan = runner.scan(repository.mirror(), sha, CONFIG)
        assert runner.parent.pid is not None
        assert _family(runner.parent.pid) == [runner.parent.pid]
    assert scan.status is ScanStatus.FAILED
    assert "longer than its limit" in scan.frameworks[0].reason
    assert [path.name for path in (tmp_path / "scans").iterdir()] == ["secret-resource.key"]


def test_checkov_dies_with_whoever_started_it(repository: Repository, tmp_path: Path) -> None:
    sha = repository.write(HANG, "hang")
    mirror = repository.mirror()
    argv = [sys.executable, "-c", SCRIPT, mirror.url, str(mirror.path), sha, str(tmp_path / "scans")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        parent = int(worker.stdout.readline().split()[1])
        assert _until(lambda: len(_family(parent)) == 2), "a child hangs below the parent"
        family = _family(parent)
        worker.kill()
    assert _until(lambda: not any(_is_running(pid) for pid in family))


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *(child for one in children.read_text().split() for child in _family(int(one)))]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until(condition: Callable[[], bool]) -> bool:

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False
