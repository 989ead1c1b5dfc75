"""What Checkov reads of some files, by framework."""

from infraaudit_domain.scans.findings import FrameworkScan, Scan
from resources.checkov import CheckovRunner
from tests.conftest import Repository

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
