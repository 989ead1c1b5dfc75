"""`exposed` with a rule of the operator's own and with a check, against a full backfill, with the real Checkov."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.replay.exposed import exposed
from infraaudit.scans.scan_live import scan_live
from infraaudit_assets.cli import app
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from resources.checkov import CheckovRunner
from resources.checkov.rule_file import RULED, RuledParent, read_rule
from resources.history import open_history
from resources.history.stored_line import stored_line
from tests import ROOT
from tests.conftest import Repository
from tests.resources.databases import migrated_history

pytestmark = pytest.mark.slow

START = datetime(2024, 1, 1, tzinfo=UTC)
OWNED = "\n  tags = { owner = var.owner }"


def bucket(name: str, more: str = "") -> str:
    return f'resource "aws_s3_bucket" "{name}" {{\n  bucket = "{name}"{more}\n}}\n'


A, B = bucket("a"), bucket("b")
COMMITS: list[dict[str, str | None]] = [
    {"main.tf": "# nothing\n"},
    {"main.tf": A},
    {"main.tf": A + B},
    {"main.tf": bucket("a", OWNED) + B},
    {"main.tf": None, "infra.tf": bucket("a", OWNED) + B},
    {"infra.tf": bucket("a", OWNED) + B + "resource {{\n"},
    {"infra.tf": bucket("a", OWNED) + bucket("b", OWNED)},
    {"other.txt": "1"},
]
LIVE = ((0, 0), (10, 1), (20, 3), (30, 4), (40, 5), (50, 6), (60, 1), (70, 7))
"""Hours after START, and the commit that was healthy then: the seventh goes back to the second."""
RULE = """
metadata: {id: CUSTOM_SHOP_1, name: Every bucket has an owner, category: GENERAL_SECURITY, severity: HIGH}
definition: {cond_type: attribute, resource_types: [aws_s3_bucket], attribute: tags.owner, operator: exists}
"""


@pytest.fixture
def shas(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A project of eight commits without a scan, most of which were live."""
    shas = [repository.write(files, f"commit {number}") for number, files in enumerate(COMMITS)]
    entry = {"name": "shop", "url": str(repository.path)}
    (tmp_path / "projects.yaml").write_text(json.dumps({"projects": [entry]}))
    (tmp_path / "rule.yaml").write_text(RULE)
    paths = {"HOME": tmp_path / "home", "PROJECTS": tmp_path / "projects.yaml", "REPORTS": tmp_path / "reports"}
    for name, value in paths.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    past = open_history(settings().history_url)
    past.record_project(find_project("shop"))
    for hour, number in LIVE:
        at = START + timedelta(hours=hour)
        past.record_deployment(Deployment("shop", "production", shas[number], "t", Outcome.DEPLOYED, at, at))
    yield shas
    settings.cache_clear()


def asked(*words: str) -> Result:
    return CliRunner().invoke(app, [words[0], "--project", "shop", *words[1:]])


def rows(*words: str) -> list[dict[str, Any]]:
    done = asked(*words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def backfilled(shas: list[str], folder: Path) -> list[dict[str, Any]]:
    """The same question over a history in which every commit is scanned for the rule."""
    folder.mkdir()
    project, rule = find_project("shop"), read_rule(folder.parent / "rule.yaml")
    mirror, beside = mirror_of(project), migrated_history(folder)
    state = settings().state.scans.resolve()

    def parent(scratch: Path, limits: Any, _: Path) -> RuledParent:
        return RuledParent(scratch, limits, state, rule)

    line = stored_line(open_history(settings().history_url), "shop")
    with CheckovRunner(folder / "scans", {rule.id: rule.severity}, parent=parent, frameworks=RULED) as runner:
        scans = (runner.scan(mirror, sha, project.paths.checkov_config) for sha in shas)
        full = scan_live(line, project, mirror, beside, rule.id, scans)
    found, _ = exposed(Asked(full, ProjectRules(mirror=mirror), datetime.now(UTC), {"check": rule.id}))
    beside.close()
    return list(found)


def test_a_rule_over_what_was_live_equals_a_full_backfill(shas: list[str], tmp_path: Path) -> None:
    rule = str(tmp_path / "rule.yaml")
    answers, full = rows("exposed", "--rule", rule), backfilled(shas, tmp_path / "full")
    unknown = [(shas.index(row["commit"]), row["live_from"]) for row in answers if row["state"] == "unknown"]
    assert unknown == [(5, (START + timedelta(hours=40)).isoformat())]
    assert [(shas.index(row["commit"]), row["live_from"]) for row in full if row["state"] == "unknown"] == unknown
    found, full = ([row for row in some if row["state"] == "exposed"] for some in (answers, full))
    same = ("id", "severity", "file_path", "resource", "live_from", "live_to", "live_now", "brought_back_by")
    assert [{name: row[name] for name in same} for row in found] == [{name: row[name] for name in same} for row in full]
    assert [(row["resource"].split(".")[1], row["hours_exposed"]) for row in found] == [("b", 30), ("a", 20)]
    for row, whole in zip(found, full, strict=True):
        assert whole["introduced_certainty"] == "exact"
        after = shas.index(row["introduced_after"]) if row["introduced_after"] else -1
        assert after < shas.index(whole["introduced_by"]) <= shas.index(row["introduced_by"])
    named = {row["resource"].split(".")[1]: row for row in found}
    assert (named["a"]["introduced_certainty"], named["a"]["author"]) == ("exact", "Ada"), "its parent was live, too"
    assert (named["b"]["introduced_certainty"], named["b"]["author"]) == ("between", None)
    assert named["a"]["brought_back_by"] == shas[1] and not any(row["live_now"] for row in found)
    assert open_history(settings().history_url).scan("shop", shas[7]) is None, "nothing is stored"


def test_each_commit_that_was_live_is_exposed_or_not_or_unknown_and_so_is_going_back_to_it(
    shas: list[str], tmp_path: Path
) -> None:
    rule = str(tmp_path / "rule.yaml")
    found = rows("exposed", "--rule", rule, "--of", "commits")
    listed = [(shas.index(row["sha"]), row["exposed"], row["findings"], row["rollback"]) for row in found]
    assert listed == [
        (7, "no", 0, "live"), (1, "yes", 1, "unsafe"), (6, "no", 0, "safe"), (5, "unknown", 0, "unknown"),
        (4, "yes", 1, "unsafe"), (3, "yes", 1, "unsafe"), (1, "yes", 1, "unsafe"), (0, "no", 0, "safe"),
    ]  # fmt: skip
    assert "infra.tf; 1 stood there before" in found[3]["reason"]
    some = rows("exposed", "--rule", rule, "--of", "commits", "--max-scans", "2")
    states = {shas.index(row["sha"]): (row["exposed"], row["reason"]) for row in some}
    # What is live now first, then the longest live.
    assert [number for number, (state, _) in states.items() if state != "unknown"] == [7, 1]
    assert states[6] == ("unknown", "it has not been scanned for this")


def test_a_check_is_answered_from_the_history_where_the_scanner_of_now_made_it(shas: list[str]) -> None:
    assert asked("scan", "--all").exit_code == 0
    (row, *_) = rows("exposed", "--check", "CKV_AWS_18")
    assert row["introduced_certainty"] == "exact"
    done = asked("exposed", "--check", "CKV_AWS_18", "--of", "commits", "--json")
    assert "scanning" not in done.stderr
    assert [one["exposed"] for one in json.loads(done.stdout)][:2] == ["yes", "yes"]


def test_what_the_site_says_of_a_rule_counts_more_than_the_rule(
    shas: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    shutil.copy(ROOT / "configs" / "gate.yaml", tmp_path / "configs")
    (tmp_path / "configs" / "checks.yaml").write_text("checks:\n  CUSTOM_SHOP_1: {severity: critical}\n")
    monkeypatch.setenv("INFRAAUDIT_CONFIGS", str(tmp_path / "configs"))
    settings.cache_clear()
    found = rows("exposed", "--rule", str(tmp_path / "rule.yaml"), "--max-scans", "2")
    assert {row["severity"] for row in found if row["state"] == "exposed"} == {"critical"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("import os", "check in Python"),
        ("metadata: {name: x}\ndefinition: {}", "needs metadata.id"),
        ("metadata: {id: CUSTOM_1}\n", "needs a definition"),
        ("metadata: {id: CUSTOM_1}\n---\nmetadata: {id: CUSTOM_2}", "has 2 documents"),
        ("metadata: {id: CKV2_AWS_6, name: n}\ndefinition: {cond_type: attribute, resource_types: [aws_s3_bucket], attribute: b, operator: exists}", "of its own"),
        ("metadata: {id: CUSTOM_1}\ndefinition: nonsense", "does not take the rule"),
        (RULE.replace("exists", "exsits"), "operator exsits is not supported"),
        ("a: &a [*a]", "alias"),
        ("x" * 70_000, "longer than"),
    ],
)  # fmt: skip
def test_a_rule_that_is_none_is_refused_and_not_taken_for_safe(
    shas: list[str], tmp_path: Path, text: str, fault: str
) -> None:
    rule = tmp_path / ("own.py" if text.startswith("import") else "own.yaml")
    rule.write_text(text)
    done = asked("exposed", "--rule", str(rule), "--json")
    said = f"{done.output} {done.stderr} {done.exception}"
    assert done.exit_code != 0 and fault in said, said


def test_a_rule_that_is_about_nothing_that_was_live_says_so(shas: list[str], tmp_path: Path) -> None:
    rule = tmp_path / "own.yaml"
    rule.write_text(RULE.replace("aws_s3_bucket", "aws_s3_buket"))
    done = asked("exposed", "--rule", str(rule), "--json")
    assert "No resource of what was live is one that CUSTOM_SHOP_1 is about" in done.stderr


def test_a_check_that_nobody_knows_is_not_taken_for_safe(shas: list[str]) -> None:
    done = asked("exposed", "--check", "CKV_AWS_99999")
    assert done.exit_code != 0 and "is not known here" in f"{done.output} {done.exception}"
    assert asked("exposed").exit_code != 0
