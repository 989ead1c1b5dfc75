"""The judged do not configure the judge, and a rule that changed blames nobody: over real repositories and histories."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from infraaudit.scans.cross_scans import record_cross_scan
from infraaudit.scans.first_configuration import first_configuration
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.scans.checkov_config import read_config
from infraaudit_domain.scans.findings import Finding, Scan, UnreadableFile
from infraaudit_domain.scans.hidings import Hider, marked
from resources.history import History
from resources.history.queries.sla import sla
from resources.history.trusted import trusted_configuration
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import NOW as SCANNED
from tests.infraaudit.scans.made_scans import finding, scan
from tests.infraaudit.test_gate import NOW, PROJECT, Release
from tests.resources.databases import DATABASES, fresh_history

CONFIG = "scanner/checkov_config.yaml"
OPEN_ALL = "open: {}\nnew: {high: 0}\nnew_in_environment: {high: 0}\n"


class Hiding(Release):
    """Commits with a Checkov configuration, scanned as the runner scans them."""

    def write(self, config: str | None, *found: Finding, version: str = "3", gaps: tuple[str, ...] = ()) -> str:
        known = (self.repository.path / CONFIG).exists()
        files = {CONFIG: config} if config is not None or known else {}
        sha = self.repository.write(files, "next")
        self.history.record_commit("p", self.repository.mirror().commit(sha))
        self.history.record_scan("p", self.scan(sha, config, *found, version=version, gaps=gaps))
        first_configuration(self.history, self.repository.mirror(), PROJECT)
        return sha

    def scan(
        self, sha: str, config: str | None, *found: Finding, version: str = "3", gaps: tuple[str, ...] = ()
    ) -> Scan:
        read, _ = read_config(yaml.safe_load(config or "null"))
        plain = scan(sha, list(found), version=version)
        unread = tuple(UnreadableFile(path, "it is no YAML") for path in gaps)
        part = marked(replace(plain.frameworks[0], unreadable=unread), Hider(read), CONFIG)
        key = f"{part.scan_key[:40]}{read.digest[:20]}{len(gaps)}"
        return replace(plain, frameworks=(replace(part, scan_key=key),), config_digest=read.digest)

    def policy(self, text: str) -> None:
        (self.configs / "gate.yaml").write_text(OPEN_ALL + text)


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def release(history: History, repository: Repository, tmp_path: Path) -> Hiding:
    return Hiding(history, repository, tmp_path / "configs")


HIDES = (
    "framework: [bicep]",
    'skip-check: ["CKV*"]',
    "skip-path: [main]",
    "check: [CKV_2]",
    "skip-framework: terraform",
)


@pytest.mark.parametrize("config", HIDES)
def test_a_change_of_the_file_hides_nothing_from_the_gate(release: Hiding, config: str) -> None:
    release.deploy(release.write(None))
    verdict = release.judge(release.write(config, finding("x")))
    assert not verdict.passed and CONFIG in str(verdict) and "accepted_hidings" in str(verdict)
    assert "1 findings counted though hidden by configuration" in verdict.notes


@pytest.mark.parametrize("config", HIDES)
def test_hiding_what_stood_before_neither_closes_it_nor_makes_it_new(release: Hiding, config: str) -> None:
    release.deploy(release.write(None, finding("x")))
    assert release.judge(release.write(config, finding("x"))).passed
    release.policy("")
    (release.configs / "gate.yaml").write_text("open: {high: 0}\nnew: {}\n")
    assert "1 open high findings" in str(release.judge(release.write(config, finding("x"))))


@pytest.mark.parametrize("config", HIDES)
def test_what_was_hidden_at_first_stays_accepted(release: Hiding, config: str) -> None:
    release.deploy(release.write(config))
    assert release.judge(release.write(config, finding("x"))).passed
    trusted = trusted_configuration(release.history, "p")
    assert trusted is not None and trusted[1] == read_config(yaml.safe_load(config))[0]


def test_what_was_not_hidden_at_first_is_not_accepted(release: Hiding) -> None:
    release.deploy(release.write("skip-check: [CKV_2]\nskip-path: [other]"))
    assert not release.judge(release.write("skip-check: [CKV_1, CKV_2]", finding("x"))).passed


ACCEPTED = "accepted_hidings: [{{key: {}, value: {}, reason: known, owner: ada, expires: 2023-11-20}}]\n"


@pytest.mark.parametrize(
    ("config", "key", "value", "passes"),
    [
        ("skip-check: [CKV_1]", "skip-check", "CKV_1", True),
        ('skip-check: ["CKV*"]', "skip-check", "'CKV_?'", True),
        ("skip-check: [CKV_1]", "skip-check", "CKV_2", False),
        ("skip-check: [CKV_1]", "skip-path", "'*'", False),
        ("skip-path: [main]", "skip-path", "main", True),
        ("skip-path: [main]", "skip-path", "mai", False),
        ("skip-path: [main]", "skip-path", "'*'", True),
        ("framework: [bicep]", "framework", "terraform", True),
        ("framework: [bicep]", "framework", "kubernetes", False),
        ("check: [CKV_2]", "check", "'*'", True),
    ],
)
@pytest.mark.parametrize("where", ["site", "project"])
def test_the_pipeline_accepts_what_a_commit_may_hide_for_a_time(
    release: Hiding, config: str, key: str, value: str, passes: bool, where: str
) -> None:
    text = ACCEPTED.format(key, value)
    if where == "site":
        release.policy(text)
    else:
        release.suppress(text)
    release.write(None)
    sha = release.write(config, finding("x"))
    assert release.judge(sha).passed is passes
    later = release.judge(sha, NOW + timedelta(days=1))
    assert not later.passed
    assert any(f"the acceptance of {key}" in reason for reason in later.reasons) is passes


def test_an_unskippable_check_counts_whatever_hides_it(release: Hiding) -> None:
    release.policy("unskippable_checks: [CKV_1]\n" + ACCEPTED.format("skip-check", "'*'"))
    release.write(None)
    assert not release.judge(release.write("skip-check: [CKV_1]", finding("x"))).passed
    inline = replace(finding("y", status="suppressed"), suppressed_by="inline", suppression_reason="why")
    release.write(None)
    assert not release.judge(release.write(None, inline)).passed


@pytest.mark.parametrize(
    ("policy", "reason", "passes"),
    [
        ("", "", True),
        ("inline_suppressions: accept\n", "", True),
        ("inline_suppressions: need_reason\n", "kept elsewhere", True),
        ("inline_suppressions: need_reason\n", "No comment provided", False),
        ("inline_suppressions: need_reason\n", " ", False),
        ("inline_suppressions: ignore\n", "kept elsewhere", False),
        ("inline_suppressions: {high: ignore}\n", "kept elsewhere", False),
        ("inline_suppressions: {low: ignore}\n", "kept elsewhere", True),
    ],
)
def test_comments_in_the_code_count_as_the_policy_says(release: Hiding, policy: str, reason: str, passes: bool) -> None:
    release.policy(policy)
    release.write(None)
    inline = replace(finding("x", status="suppressed"), suppressed_by="inline", suppression_reason=reason)
    verdict = release.judge(release.write(None, inline))
    assert verdict.passed is passes
    assert any("inline" in note for note in verdict.notes)


def test_a_comment_that_is_ignored_does_not_make_a_standing_finding_new(release: Hiding) -> None:
    release.policy("inline_suppressions: ignore\n")
    release.deploy(release.write(None, finding("x")))
    inline = replace(finding("x", status="suppressed"), suppressed_by="inline", suppression_reason="r")
    assert release.judge(release.write(None, inline)).passed
    assert "1 new high" in str(release.judge(release.write(None, inline, finding("y"))))


def test_a_required_framework_must_have_run(release: Hiding) -> None:
    release.policy("required_frameworks: [terraform, kubernetes]\nallow_partial: true\n")
    assert str(release.judge(release.write(None))) == "it was not scanned by kubernetes, which is required"


def test_gaps_pass_where_all_are_accepted(release: Hiding) -> None:
    release.deploy(release.write(None))
    sha = release.write(None, gaps=("charts/a.yaml", "b.yaml"))
    assert "2 gaps that nobody accepted, charts/a.yaml by terraform (it is no YAML)" in str(release.judge(sha))
    entry = "{{path: {}, reason: rendered elsewhere, owner: ada, expires: 2023-11-20}}"
    release.suppress(f"accepted_gaps: [{entry.format('charts/*')}]")
    assert "1 gaps that nobody accepted, b.yaml" in str(release.judge(sha))
    release.suppress(f"accepted_gaps: [{entry.format('charts/*')}, {entry.format('b.yaml')}]")
    assert release.judge(sha).passed
    assert not release.judge(sha, NOW + timedelta(days=1)).passed


def test_a_skipped_file_is_no_gap_once_that_is_accepted(release: Hiding) -> None:
    release.write(None)
    sha = release.write("skip-path: [testdata]", gaps=("testdata/invalid.yaml",))
    stored = release.history.scan("p", sha)
    assert stored is not None and stored.status == "complete"
    assert "gaps that nobody accepted" in str(release.judge(sha))
    release.policy(ACCEPTED.format("skip-path", "testdata"))
    assert release.judge(sha).passed


@pytest.mark.parametrize(
    ("policy", "passes_now", "passes_later"),
    [
        ("", True, True),
        ("on_new_rules: report\n", True, True),
        ("on_new_rules: {grace: 10}\n", True, False),
        ("on_new_rules: block\n", False, False),
    ],
)
def test_what_another_scanner_finds_in_the_same_code_is_the_policys_matter(
    release: Hiding, policy: str, passes_now: bool, passes_later: bool
) -> None:
    release.policy(policy)
    live = release.write(None, finding("old"), version="3")
    release.deploy(live)
    sha = release.write(None, finding("old"), finding("rule"), version="4")
    # Without a cross scan nothing is excused.
    assert "1 new high findings" in str(release.judge(sha))
    cross = release.scan(live, None, finding("old"), finding("rule"), version="4")
    record_cross_scan(release.history, "p", sha, cross)
    scanned = release.history.scan("p", sha)
    assert scanned is not None
    now = scanned.started_at
    verdict = release.judge(sha, now)
    assert verdict.passed is passes_now
    assert any("brought them" in note for note in verdict.notes) is passes_now
    assert release.judge(sha, now + timedelta(days=11)).passed is passes_later
    after = release.write(None, finding("old"), finding("rule"), version="4")
    record_cross_scan(release.history, "p", after, cross)
    assert release.judge(after, now + timedelta(days=11)).passed is (
        policy != "on_new_rules: {grace: 10}\n" and passes_now
    )


def test_code_under_another_scanner_is_still_code(release: Hiding) -> None:
    live = release.write(None, finding("old"), version="3")
    release.deploy(live)
    sha = release.write(None, finding("old"), finding("code"), version="4")
    record_cross_scan(release.history, "p", sha, release.scan(live, None, finding("old"), version="4"))
    assert "1 new high findings" in str(release.judge(sha))


def test_an_sla_counts_what_code_did(release: Hiding) -> None:
    first = release.write(None, finding("old"), finding("dropped"), version="3")
    second = release.write(None, finding("old"), finding("rule"), version="4")
    record_cross_scan(
        release.history, "p", second, release.scan(first, None, finding("old"), finding("rule"), version="4")
    )
    release.write(None, finding("rule"), version="4")
    line = Line(release.history, release.repository.mirror(), "p", "main").follow()
    # The rule arrived with the scan of 2026; the commits are of 2023.
    row = sla(line, {}, SCANNED + timedelta(days=2)).set_index("severity").loc["high"]
    assert (row["open"], row["oldest_days"], row["fixed"]) == (1, 2.0, 1)
