"""What Checkov reads of some files, by framework."""

import shutil

from infraaudit_domain.scans.findings import FrameworkScan, Scan
from resources.checkov import CheckovRunner
from tests import ROOT
from tests.conftest import Repository

FIXTURE = ROOT / "tests/resources/checkov/fixture/app"
CONFIG = "scanner/checkov_config.yaml"
POD = """apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: web:1
      securityContext:
        privileged: true
"""
BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'


def scan(runner: CheckovRunner, repository: Repository, files: dict[str, str | None]) -> dict[str, FrameworkScan]:
    sha = repository.write(files, "files")
    return parts(runner.scan(repository.mirror(), sha, CONFIG))


def parts(scanned: Scan) -> dict[str, FrameworkScan]:
    return {one.framework: one for one in scanned.frameworks}


def gaps(one: FrameworkScan) -> dict[str, str]:
    return {file.path: file.reason for file in one.unreadable}


def framework(scan: Scan, name: str) -> FrameworkScan:
    return next(one for one in scan.frameworks if one.framework == name)


def commit_fixture(repository: Repository) -> str:
    shutil.copytree(FIXTURE, repository.path, dirs_exist_ok=True)
    return repository.write({}, "fixture")


def scan_files(runner: CheckovRunner, repository: Repository, files: dict[str, str | None]) -> Scan:
    sha = repository.write(files, "files")
    return runner.scan(repository.mirror(), sha, CONFIG)


def laughs(levels: int, times: int) -> str:
    """A list of lists of lists …, each level the one before so many times: few aliases, many nodes."""
    lines = ["a0: &a0 [x]\n", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * times)}]\n" for n in range(1, levels))]
    return "".join(lines)
