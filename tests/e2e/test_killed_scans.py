"""Which children of Checkov's process are killed, and when, is drawn up here: none may pass for a whole scan."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infraaudit_domain.errors import ScanError
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from resources.checkov import CheckovRunner
from tests.conftest import Repository

pytestmark = pytest.mark.e2e
CONFIG = "scanner/checkov_config.yaml"
STACK = "Resources:\n  B:\n    Type: {}\n    Properties: {{BucketName: a}}\n"
FILES: dict[str, str | None] = {
    CONFIG: "framework: [terraform, cloudformation]\n",
    "main.tf": 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n',
    "good.yaml": STACK.format("AWS::S3::Bucket"),
    "a.yaml": STACK.format("AWS::S3::Bucket"),
    "bad.yaml": STACK.format("[AWS::S3::Bucket]"),
}
"""One file that crashes its framework, so that a scan goes through all it can: all at once, one by one, by halves, of
which one is a good file alone."""

KILLED_AS_PLANNED = """
import os
from pathlib import Path
usual, plan = os.fork, Path({plan!r})
def fork():
    reported, *rest = plan.read_text()
    plan.write_text("".join(rest))
    pid = usual()
    if pid == 0 and reported == "k":
        os.kill(os.getpid(), 9)
    return pid
os.fork = fork
"""


class KilledScans:
    """Scans of one commit of which chosen children are killed."""

    def __init__(self, runner: CheckovRunner, plan: Path, repository: Repository) -> None:
        self._runner, self._plan, self._mirror = runner, plan, repository.mirror()
        self._sha = repository.git("rev-parse", "HEAD")

    def scan(self, *killed: int) -> Scan:
        self._letters = ["k" if number in killed else "l" for number in range(1, 500)]
        self._plan.write_text("".join(self._letters))
        return self._runner.scan(self._mirror, self._sha, CONFIG)

    @property
    def children(self) -> int:
        """How many the last scan had, the killed ones too."""
        return len(self._letters) - len(self._plan.read_text())


@pytest.fixture
def scans(repository: Repository, tmp_path: Path, checkov_begins_with: Callable[[str], None]) -> Iterator[KilledScans]:
    repository.write(FILES, "1")
    checkov_begins_with(KILLED_AS_PLANNED.format(plan=str(tmp_path / "plan")))
    with CheckovRunner(tmp_path / "scans", {}) as runner:
        yield KilledScans(runner, tmp_path / "plan", repository)


def answer(one: FrameworkScan) -> tuple[object, ...]:
    return one.status, one.findings, {file.path for file in one.unreadable}


def test_a_killed_child_fails_its_framework_or_changes_nothing(scans: KilledScans) -> None:
    whole = {one.framework: answer(one) for one in scans.scan().frameworks}
    assert whole["terraform"][0] is ScanStatus.COMPLETE and whole["cloudformation"][2] == {"bad.yaml"}
    failed = set()
    look, together = 1, 2
    for first in (look, together):
        scans.scan(first)
        for second in range(first, scans.children + 1):
            for one in scans.scan(first, second).frameworks:
                if one.status is ScanStatus.FAILED:
                    assert one.findings == () and one.reason, (first, second)
                    failed.add(one.framework)
                else:
                    assert answer(one) == whole[one.framework], (first, second)
    assert failed == {"terraform", "cloudformation", "secrets"}


@pytest.mark.parametrize("times", [1, 3])
def test_whoever_kills_the_look_at_files_hides_none_of_them(scans: KilledScans, times: int) -> None:
    if times == 1:
        assert {finding.file_path for finding in scans.scan(1).findings} == {"main.tf", "good.yaml", "a.yaml"}
    else:
        with pytest.raises(ScanError, match="killed three times"):
            scans.scan(1, 2, 3)
