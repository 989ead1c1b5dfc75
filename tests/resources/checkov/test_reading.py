"""What a scan proves: what passed is kept, and what was not read closes nothing."""

import pytest

from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_domain.scans.evidence import EVERY_FILE, proves_absence
from resources.checkov import CheckovRunner
from tests.conftest import Repository
from tests.resources.checkov.scanned import BUCKET, POD, gaps, scan

pytestmark = pytest.mark.slow
GROUP = """resource "aws_security_group" "g" {
  description = "g"
  ingress {
    description = "ssh"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = %s
  }
}
"""


def test_what_passed_closes_a_finding_and_what_was_not_decided_does_not(
    reader: CheckovRunner, repository: Repository
) -> None:
    before = scan(reader, repository, {"sg.tf": GROUP % '["0.0.0.0/0"]', "b.tf": BUCKET})["terraform"]
    (ssh,) = [finding for finding in before.findings if finding.check_id == "CKV_AWS_24"]
    bucket = next(finding for finding in before.findings if finding.file_path == "b.tf")
    after = scan(reader, repository, {"sg.tf": GROUP % '["10.0.0.0/8"]', "b.tf": "# nothing\n"})["terraform"]
    assert ssh.check_id not in {finding.check_id for finding in after.findings}
    assert proves_absence(after.evidence, ssh) and proves_absence(after.evidence, bucket)
    assert not proves_absence(before.evidence, ssh)
    assert after.evidence is not None and after.evidence.passed["sg.tf"]["aws_security_group.g"]


def test_what_rests_on_a_file_that_was_not_read_proves_nothing(reader: CheckovRunner, repository: Repository) -> None:
    variable = 'variable "from" {\n  default = ["0.0.0.0/0"]\n}\n'
    call = 'module "m" {\n  source = "./inner"\n}\n'
    files = {"sg.tf": GROUP % "var.from", "variables.tf": variable, "inner/b.tf": BUCKET, "call.tf": call}
    before = scan(reader, repository, files)["terraform"]
    (ssh,) = [finding for finding in before.findings if finding.check_id == "CKV_AWS_24"]
    after = scan(reader, repository, {"variables.tf": variable + "}", "alone/b.tf": BUCKET})["terraform"]
    assert "values come from variables.tf" in gaps(after)["inner/b.tf"]
    assert {*gaps(after)} == {"variables.tf", "inner/b.tf"}
    assert not proves_absence(after.evidence, ssh)
    assert after.evidence is not None and any(after.evidence.passed["alone/b.tf"].values())


def test_a_gap_leaves_graph_checks_in_doubt_only_where_calls_of_modules_reach(
    reader: CheckovRunner, repository: Repository
) -> None:
    private = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n  acl = "private"\n}\n'
    call = 'module "m" {\n  source = "../%s"\n}\n'
    files: dict[str, str | None] = {
        "bad/bad.tf": "resource {{{\n", "alone/b.tf": private, "caller/b.tf": private, "caller/m.tf": call % "between",
        "between/b.tf": private, "between/m.tf": call % "bad",
    }  # fmt: skip
    one = scan(reader, repository, files)["terraform"]
    assert one.evidence is not None
    named = one.evidence.passed.items()
    passed = {path: each for path, by_name in named if path.endswith("b.tf") for each in by_name.values()}
    graph = "CKV_AWS_20"
    assert {path: graph in checks for path, checks in passed.items()} == {
        "alone/b.tf": True, "caller/b.tf": False, "between/b.tf": False
    }  # fmt: skip


def test_secrets_are_searched_in_every_file_or_it_is_a_gap(reader: CheckovRunner, repository: Repository) -> None:
    (repository.path / "latin.tf").write_bytes(b'a = "\xe4"\n')
    files: dict[str, str | None] = {"a.tf": BUCKET, "package-lock.json": "{}", "b.yaml": "a: b\n"}
    one = scan(reader, repository, files)["secrets"]
    assert [*gaps(one)] == ["latin.tf"] and one.evidence is not None and one.evidence.expected == 3


def test_many_gaps_are_bounded_and_say_so(repository: Repository, reader: CheckovRunner) -> None:
    files: dict[str, str | None] = {f"{n}.yaml": POD + "bad: [\n" for n in range(1010)}
    one = scan(reader, repository, files)["kubernetes"]
    assert len(one.unreadable) == 1001 and one.unreadable[-1].path == EVERY_FILE
    assert one.reason == "1010 file(s) could not be read" and len(DEFAULT_FRAMEWORKS) > 10
