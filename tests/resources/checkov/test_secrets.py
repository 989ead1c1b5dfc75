"""The search for secrets: an edit elsewhere in a file closes no finding, and blames nobody for one."""

import pytest

from infraaudit_domain.scans.evidence import proves_absence
from infraaudit_domain.scans.findings import FrameworkScan
from resources.checkov import CheckovRunner
from resources.checkov.reading.other_readings import values
from tests.conftest import Repository
from tests.resources.checkov.scanned import gaps, scan

TEXT = """data:
  # token = "ghp_1234567890abcdefghij1234567890abcdEF"
  password: hVn3kXq9ZpL0sT7wYb2d
  aws_key: AKIAIOSFODNN7REALKEY
  script: |
    export API_KEY=9f8e7d6c5b4a39281706f5e4d3c2b1a0
    password = "qP0wO9eI8rU7tY6z"
  list:
    - AKIAIOSFODNN7LISTKEY
"""
JSON = '{"password": "hVn3kXq9ZpL0sT7wYb2d"\n}\n'
SETTINGS = 'password = "hVn3kXq9ZpL0sT7wYb2d"\n'


def secrets(runner: CheckovRunner, repository: Repository, path: str, text: str) -> FrameworkScan:
    return scan(runner, repository, {path: text})["secrets"]


@pytest.mark.parametrize(
    ("path", "text", "edited"),
    [
        ("a.yaml", TEXT, TEXT + "bad: [\n"),
        ("a.yaml", TEXT, TEXT + "---\na: b\n"),
        ("a.yaml", TEXT, TEXT + "{{- if .Values.a }}\n"),
        ("a.yaml", TEXT, TEXT.replace("  list", "\tlist")),
        ("a.yaml", TEXT, TEXT.replace("wYb2d", "wYb2d # pragma: allowlist secret")),
        ("a.tf", SETTINGS, "# pragma: allowlist nextline secret\n" + SETTINGS),
        ("a.yaml", TEXT, TEXT.replace('Y6z"\n', 'Y6z" # checkov:skip=CKV_SECRET_6:a test\n')),
        ("a.tf", SETTINGS, SETTINGS.replace("\n", " # gitleaks:allow\n")),
        ("a.tf", SETTINGS, SETTINGS.replace("\n", " // trufflehog:ignore\n")),
        ("a.json", JSON, JSON.replace("\n", " // a:b\n")),
        ("Dockerfile", "FROM a\nENV " + SETTINGS, "FROM a\nENV " + SETTINGS.replace("\n", " # gitleaks:allow\n")),
        ("a.bicep", "[a]\n" + SETTINGS, "[a]\n" + SETTINGS + 'key = "AKIAIOSFODNN7REALKEY"\n'),
    ],
)
def test_no_edit_elsewhere_closes_or_brings_a_secret(
    reader: CheckovRunner, repository: Repository, path: str, text: str, edited: str
) -> None:
    before = secrets(reader, repository, path, text)
    after = secrets(reader, repository, path, edited)
    assert before.findings and not gaps(after)
    stand = {finding.fingerprint for finding in after.findings}
    assert not [f for f in before.findings if f.fingerprint not in stand and proves_absence(after.evidence, f)]
    stood = {finding.fingerprint for finding in before.findings}
    came = [f for f in after.findings if f.fingerprint not in stood and proves_absence(before.evidence, f)]
    assert [finding.check_id for finding in came] == ["CKV_SECRET_2"] * path.endswith(".bicep")


def test_a_secret_that_was_taken_out_is_closed_however_its_file_is_read(
    reader: CheckovRunner, repository: Repository
) -> None:
    for text in (TEXT, TEXT + "bad: [\n", TEXT + "---\na: b\n"):
        before = secrets(reader, repository, "a.yaml", text)
        after = secrets(reader, repository, "a.yaml", text.replace("hVn3kXq9ZpL0sT7wYb2d", "in-the-vault"))
        gone = [f for f in before.findings if f.fingerprint not in {each.fingerprint for each in after.findings}]
        assert gone and all(proves_absence(after.evidence, finding) for finding in gone)


def test_what_stands_in_a_file_is_remembered_with_its_findings(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with CheckovRunner(tmp_path_factory.mktemp("state") / "scans", {}, {}.get) as runner:
        first = secrets(runner, repository, "a.yaml", TEXT)
        again = scan(runner, repository, {"b.yaml": "a: b\n"})["secrets"]
    assert first.evidence and again.evidence and first.evidence.passed["a.yaml"]
    assert again.evidence.passed == first.evidence.passed and again.findings == first.findings


def test_a_file_that_is_not_searched_says_why(reader: CheckovRunner, repository: Repository) -> None:
    (repository.path / "wide.yaml").write_bytes("a: b\n".encode("utf-16"))
    found = gaps(scan(reader, repository, {"date.yaml": "a: 2024-13-45\n"})["secrets"])
    assert "no text in UTF-8" in found["wide.yaml"] and "month must be in 1..12" in found["date.yaml"]


def test_values_are_what_a_parser_would_give_the_search() -> None:
    lines = [
        "a: b # c\n", "- x: 'y'\n", 'q: "w" # e\n', "# no: thing\n", "s: |-\n", "   one\n", "     two\n", "\n", "t: >\n",
        "  three\n", "  four\n", "u:\n", "v: 1\n",
    ]  # fmt: skip
    assert [value for value in values(lines) if value] == [
        'a: "b"', 'x: "y"', 'q: "w"', 's: "one\n  two\n\n"', 't: "three four\n"', 'v: "1"',
    ]  # fmt: skip
