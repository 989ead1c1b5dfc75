import pytest

from infraauditai.audit import audit
from infraauditai.findings import UnreadableInput

OPEN_GROUP = """
resource "aws_security_group" "web" {
  ingress {
    from_port   = 22
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""


def rules(text: str) -> list[str]:
    return [finding.rule for finding in audit(text)]


def test_an_open_port_is_found() -> None:
    assert rules(OPEN_GROUP) == ["TF_OPEN_TO_WORLD"]


def test_comments_are_no_code() -> None:
    assert rules(OPEN_GROUP.replace("cidr_blocks", "# cidr_blocks")) == []


def test_a_public_bucket_is_found() -> None:
    assert rules('resource "aws_s3_bucket_acl" "b" {\n  acl = "public-read"\n}\n') == ["TF_PUBLIC_BUCKET"]


def test_braces_in_strings_do_not_count() -> None:
    text = 'resource "aws_ebs_volume" "v" {\n  name = "}{"\n  encrypted = true\n}\n'
    assert rules(text) == []


def test_a_volume_is_encrypted_only_when_it_says_so() -> None:
    assert rules('resource "aws_ebs_volume" "v" {\n  size = 8\n}\n') == ["TF_UNENCRYPTED_VOLUME"]


def test_an_unclosed_block_is_refused() -> None:
    with pytest.raises(UnreadableInput):
        audit('resource "aws_ebs_volume" "v" {\n  size = 8\n')
