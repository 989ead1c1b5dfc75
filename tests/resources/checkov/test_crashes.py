"""A check that breaks on a resource is a gap of that check on that resource, and of nothing else."""

import pytest

from infraaudit_domain.scans.evidence import is_unread, proves_absence
from infraaudit_domain.scans.findings import FrameworkScan, ScanStatus
from resources.checkov import CheckovRunner
from tests.conftest import Repository
from tests.resources.checkov.scanned import POD, gaps, scan

pytestmark = pytest.mark.slow
SERVICE = """apiVersion: v1
kind: Pod
metadata:
  name: other
spec:
  containers:
    - name: other
      image: other:1
"""
STACK = """Resources:
  B:
    Type: AWS::S3::Bucket
    Properties: {BucketName: a}
  G:
    Type: AWS::EC2::SecurityGroup
    Properties: {SecurityGroupIngress: 5}
"""


def crashes(one: FrameworkScan) -> dict[str, str]:
    return {gap.path: gap.reason for gap in one.unreadable if gap.check_id}


@pytest.mark.parametrize(
    ("framework", "path", "text"),
    [
        ("kubernetes", "pod.yaml", POD.replace("privileged: true", "capabilities: [a]")),
        ("cloudformation", "stack.yaml", STACK),
        (
            "github_actions",
            ".github/workflows/ci.yml",
            "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: [a]\n",
        ),
    ],
)
def test_each_is_named_and_the_rest_of_the_file_is_read(
    reader: CheckovRunner, repository: Repository, framework: str, path: str, text: str
) -> None:
    one = scan(reader, repository, {path: text, "other.yaml": SERVICE})[framework]
    found = crashes(one)
    assert found and all(name.startswith(f"{path}: CKV") for name in found)
    assert one.status is ScanStatus.PARTIAL and "broke on a resource" in one.reason
    assert not is_unread(path, gaps(one)) and {f.file_path for f in one.findings} >= {path}


def test_a_finding_of_it_is_not_closed_and_its_neighbours_are(reader: CheckovRunner, repository: Repository) -> None:
    before = scan(reader, repository, {"pod.yaml": POD})["kubernetes"]
    odd = POD.replace("privileged: true", "privileged: false\n        capabilities: [a]")
    after = scan(reader, repository, {"pod.yaml": odd})["kubernetes"]
    broken = {gap.check_id for gap in after.unreadable if gap.path.endswith("Pod.default.web")}
    (privileged,) = [f for f in before.findings if f.check_id == "CKV_K8S_16"]
    assert proves_absence(after.evidence, privileged)
    lost = [f for f in before.findings if f.check_id in broken]
    assert lost and not any(proves_absence(after.evidence, f) for f in lost)
