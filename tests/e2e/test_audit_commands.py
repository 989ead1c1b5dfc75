"""The questions of the audit as a user asks them: the program, a real repository, real scans, and what is printed."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infraaudit_assets.cli import app
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError, InfraAuditError
from tests.conftest import Repository

pytestmark = pytest.mark.e2e
BUCKET = """
resource "aws_s3_bucket" "b" {{
  {comment}
  bucket = "b"
}}
"""
CONTRACT = {
    "framework", "check_id", "file_path", "resource", "severity", "status", "line_start", "line_end", "introduced_by",
    "introduced_at",
}  # fmt: skip


class Audited:
    """A repository of three commits that was scanned as a whole: two findings hidden, one file renamed."""

    def __init__(self, folder: Path) -> None:
        repository = Repository(folder / "repository")
        self.folder = folder
        self.first = repository.write({"infra/a.tf": BUCKET.format(comment="")}, "first")
        self.moved = repository.write({"infra/a.tf": None, "infra/b.tf": BUCKET.format(comment="")}, "moved")
        hidden = BUCKET.format(comment="#checkov:skip=CKV_AWS_18:no need")
        self.hidden = repository.write({"infra/b.tf": hidden}, "hidden")
        (folder / "projects.yaml").write_text(f"projects: [{{name: p, url: {repository.path}}}]")
        configs = folder / "configs"
        (configs / "suppressions").mkdir(parents=True)
        (configs / "gate.yaml").write_text("open: {}\nnew: {}\nmax_age_days: {high: 30, medium: 30}\n")
        (configs / "suppressions/p.yaml").write_text(
            "suppressions: [{check: CKV_AWS_144, reason: one region, owner: ops, expires: 2999-01-01}]"
        )
        scanned = json.loads(self("scan", "--project", "p", "--all", "--json"))
        assert scanned["scanned"] == 3

    def __call__(self, *words: str) -> str:
        done = CliRunner().invoke(app, words)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    def rows(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self(*words, "--project", "p", "--format", "json"))
        return found


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, warm_home: Path) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audited")
    paths = {"REPORTS": "reports", "PROJECTS": "projects.yaml", "CONFIGS": "configs"}
    with pytest.MonkeyPatch.context() as environment:
        for name, path in paths.items():
            environment.setenv(f"INFRAAUDIT_{name}", str(folder / path))
        environment.setenv("INFRAAUDIT_HOME", str(warm_home))
        environment.setenv("INFRAAUDIT_DATABASE_URL", f"sqlite:///{folder}/history.db")
        settings.cache_clear()
        yield Audited(folder)
    settings.cache_clear()


def test_findings_keep_their_contract(audited: Audited) -> None:
    rows = audited.rows("findings")
    assert rows and all(row.keys() >= CONTRACT for row in rows)
    assert {row["status"] for row in rows} == {"open", "suppressed"}
    assert {row["file_path"] for row in rows} == {"infra/b.tf"}
    assert {row["introduced_by"] for row in rows} == {audited.first}
    by_check = {row["check_id"]: row for row in rows}
    assert by_check["CKV_AWS_18"]["suppression_reason"] == "no need"
    assert (by_check["CKV_AWS_144"]["status"], by_check["CKV_AWS_144"]["suppression_reason"]) == (
        "suppressed",
        "one region",
    )
    for row in rows:
        assert isinstance(row["line_start"], int) and row["line_start"] <= row["line_end"]
        assert row["introduced_at"].startswith("2023-11-") and row["introduced_at"].endswith("+00:00")
    then = audited.rows("findings", "--at", audited.first, "--check", "CKV_AWS_18")
    assert [(row["file_path"], row["status"]) for row in then] == [("infra/a.tf", "open")]
    assert audited.rows("findings", "--new-since", audited.first) == []
    assert audited.rows("findings", "--path", "infr") == []
    severe = audited.rows("findings", "--severity", by_check["CKV_AWS_21"]["severity"].upper())
    assert by_check["CKV_AWS_21"] in [row | {"age_days": by_check["CKV_AWS_21"]["age_days"]} for row in severe]


def test_every_question_has_a_table_csv_and_json_with_the_same_columns(audited: Audited) -> None:
    questions = (
        ("trends", "--every", "week", "--by", "directory"), ("trends", "--by", "author"), ("findings",), ("compare", "HEAD~1", "HEAD"),
        ("blame", "--check", "CKV_AWS_18"), ("sla",), ("suppressions",), ("coverage",),
    )  # fmt: skip
    for words in questions:
        rows = audited.rows(*words)
        reported = list(csv.reader(audited(*words, "--project", "p", "--format", "csv").splitlines()))
        assert len(reported) == len(rows) + 1 and all(reported[0] == list(row) for row in rows)
        assert f"{len(rows)} row" in audited(*words, "--project", "p")


def test_what_was_never_deployed_was_not_exposed_for_zero_hours(audited: Audited) -> None:
    for words in (("exposure",), ("exposure", "--of", "commits")):
        assert audited.rows(*words)["no_data"].startswith("no deployment yet")  # type: ignore[call-overload]
        assert "no deployment yet" in audited(*words, "--project", "p")


def test_blame_compare_and_suppressions_tell_who_and_why(audited: Audited) -> None:
    life = audited.rows("blame", "--check", "CKV_AWS_18")
    assert [(row["event"], row["commit"]) for row in life] == [
        ("introduced", audited.first),
        ("moved", audited.moved),
        ("suppressed", audited.hidden),
    ]
    gone = audited.rows("compare", audited.moved, audited.hidden)
    assert [(row["change"], row["check_id"]) for row in gone] == [("removed", "CKV_AWS_18")]
    hidden = {(row["source"], row["check_id"], row["owner"]) for row in audited.rows("suppressions")}
    assert hidden == {("code", "CKV_AWS_18", "Ada"), ("file", "CKV_AWS_144", "ops")}
    late = [row for row in audited.rows("sla") if row["breached"]]
    assert late and all(row["oldest_days"] > row["sla_days"] for row in late)


def test_what_a_new_configuration_hides_is_told_apart_from_what_the_code_changed(audited: Audited) -> None:
    repository = Repository(audited.folder / "configured")
    both = BUCKET.format(comment="") + BUCKET.format(comment="").replace('"b"', '"c"')
    before = repository.write({"main.tf": both}, "two buckets")
    skip = "skip-check: [CKV_AWS_21]\n"
    after = repository.write({"main.tf": BUCKET.format(comment=""), "scanner/checkov_config.yaml": skip}, "less")
    projects = audited.folder / "projects.yaml"
    projects.write_text(projects.read_text().replace("}]", f"}}, {{name: q, url: {repository.path}}}]"))
    audited("scan", "--project", "q", "--all")
    rows = json.loads(audited("compare", before, after, "--project", "q", "--format", "json"))
    causes = {(row["check_id"], row["resource"][-1], row["cause"]) for row in rows if row["change"] == "removed"}
    assert {("CKV_AWS_21", "b", "config"), ("CKV_AWS_21", "c", "code"), ("CKV_AWS_18", "c", "code")} <= causes
    assert ("CKV_AWS_18", "b") not in {(check, bucket) for check, bucket, _ in causes}
    ends = json.loads(audited("blame", "--check", "CKV_AWS_21", "--project", "q", "--format", "json"))
    causes_of = {row["event"]: row["cause"] for row in ends}
    assert (causes_of["suppressed"], causes_of["fixed"]) == ("config", "code")


@pytest.mark.parametrize("form", ["sarif", "json", "csv", "cyclonedx"])
def test_export_writes_every_finding(audited: Audited, form: str) -> None:
    text = audited("export", "--project", "p", "--format", form)
    count = len(audited.rows("findings")) if form == "json" else 0
    if form == "json":
        assert len(json.loads(text)) == count
    elif form == "sarif":
        kinds = [s["kind"] for r in json.loads(text)["runs"][0]["results"] for s in r.get("suppressions", ())]
        assert sorted(kinds) == ["external", "inSource"]
    elif form == "csv":
        assert next(csv.reader([text.splitlines()[0]]))[0] == "id"
    else:
        assert json.loads(text)["vulnerabilities"]


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (("findings", "--live"), ConfigurationError, "Nothing of p is live in production"),
        (("findings", "--at", "nothing"), InfraAuditError, "has no commit 'nothing'"),
        (("findings", "--severity", "hihg"), ConfigurationError, "critical, high, medium, low, info, unknown"),
    ],
)
def test_a_mistake_says_what_to_do(
    audited: Audited, words: tuple[str, ...], kind: type[InfraAuditError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        audited(*words, "--project", "p")
