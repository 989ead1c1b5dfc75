"""The runner on real commits with the real Checkov: what it finds, reuses and honours of a configuration."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_domain.scans.checkov_report import parse_report
from infraaudit_domain.scans.findings import Finding, FrameworkScan, ScanStatus, Severity
from resources.checkov import CheckovRunner
from resources.checkov.secret_key import secret_key
from tests.conftest import Repository
from tests.resources.checkov.scanned import BUCKET, CONFIG, FIXTURE, commit_fixture, framework, laughs, scan_files

pytestmark = pytest.mark.slow


def plain(findings: Iterator[Finding] | tuple[Finding, ...]) -> set[tuple[object, ...]]:
    return {(f.fingerprint, f.line_start, f.line_end, f.status, f.suppression_reason, f.check_name) for f in findings}


def test_it_finds_what_a_fresh_checkov_finds(
    runner: CheckovRunner, repository: Repository, scratch: Path, tmp_path: Path
) -> None:
    sha = commit_fixture(repository)
    scan = runner.scan(repository.mirror(), sha, CONFIG)
    argv = [str(Path(sys.executable).with_name("checkov")), "-d", str(FIXTURE), "-o", "json", "--skip-download"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [*argv, "--framework", *DEFAULT_FRAMEWORKS], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    reports = parse_report(done.stdout, str(FIXTURE), secret_key(scratch))
    assert plain(scan.findings) == plain(tuple(f for report in reports for f in report.findings))
    found = {one.framework for one in scan.frameworks if one.findings}
    assert found >= {"terraform", "dockerfile", "kubernetes", "cloudformation", "github_actions", "secrets", "openapi"}
    assert scan.status is ScanStatus.COMPLETE
    assert {one.framework for one in scan.frameworks} == set(DEFAULT_FRAMEWORKS)
    assert {f.severity for f in scan.findings if f.check_id == "CKV_AWS_18"} == {Severity.LOW}
    assert {f.severity for f in scan.findings if f.check_id != "CKV_AWS_18"} == {Severity.UNKNOWN}
    suppressed = {f.suppression_reason for f in scan.findings if f.status == "suppressed"}
    assert suppressed == {"access logs are kept elsewhere"}
    assert "ghp_" not in repr(scan)


def test_an_equal_framework_is_reused_across_commits(
    runner: CheckovRunner, repository: Repository, stored: dict[str, FrameworkScan]
) -> None:
    first = scan_files(runner, repository, {"main.tf": BUCKET, "Dockerfile": "FROM a\n"})
    stored.update({one.scan_key: one for one in first.frameworks})
    sha = repository.write({"main.tf": "\n" + BUCKET}, "2")
    second = runner.scan(repository.mirror(), sha, CONFIG)
    assert framework(second, "dockerfile").reused and not framework(second, "terraform").reused
    assert framework(second, "dockerfile").findings == framework(first, "dockerfile").findings
    assert {f.fingerprint for f in second.findings} == {f.fingerprint for f in first.findings}
    assert plain(second.findings) != plain(first.findings), "the lines moved"


def test_the_commits_configuration_is_honoured_as_far_as_it_is_harmless(
    runner: CheckovRunner, repository: Repository
) -> None:
    (repository.path / "evil").mkdir()
    marker = repository.path.parent / "executed"
    config = "framework: [terraform]\nskip-check: [CKV_AWS_18]\nexternal-checks-dir: [evil]\n"
    config += f"output-file-path: {repository.path.parent}/report\ndownload-external-modules: true\n"
    files = {"evil/__init__.py": f"open({str(marker)!r}, 'w')\n", "evil/a.py": f"open({str(marker)!r}, 'w')\n"}
    sha = repository.write({**files, CONFIG: config, ".checkov.yaml": config, "main.tf": BUCKET}, "evil")
    scan = runner.scan(repository.mirror(), sha, CONFIG)
    assert {one.framework for one in scan.frameworks} == set(DEFAULT_FRAMEWORKS)
    assert {f.check_id for f in scan.findings if f.framework == "terraform" and not f.is_open} == {"CKV_AWS_18"}
    assert len(scan.warnings) == 3 and not marker.exists()
    assert not (repository.path.parent / "report").exists()


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("framework: [bicep]", "framework without terraform"),
        ("skip-framework: terraform", "skip-framework terraform"),
        ("check: [CKV_K8S_1]", "check without CKV_AWS_18"),
        ('skip-check: ["CKV*"]', "skip-check CKV*"),
        ("skip-path: [infra/]", "skip-path infra/"),
    ],
)
def test_what_a_configuration_hides_is_found_and_marked(
    runner: CheckovRunner, repository: Repository, config: str, reason: str
) -> None:
    files: dict[str, str | None] = {"infra/main.tf": BUCKET}
    everything = scan_files(runner, repository, files)
    scan = scan_files(runner, repository, {CONFIG: config})
    assert {f.fingerprint for f in scan.findings} == {f.fingerprint for f in everything.findings}
    hidden = {f.check_id: f for f in scan.findings if f.suppressed_by == "configuration"}
    assert not hidden["CKV_AWS_18"].is_open and hidden["CKV_AWS_18"].suppression_reason == f"{CONFIG}: {reason}"
    assert scan.config_digest != everything.config_digest


def test_a_file_that_is_skipped_is_no_gap_and_stays_unread(runner: CheckovRunner, repository: Repository) -> None:
    files = {"testdata/invalid.yaml": "apiVersion: v1\nkind: Pod\nmetadata: [\n", "main.tf": BUCKET}
    scan = scan_files(runner, repository, {CONFIG: "skip-path: [testdata]", **files})
    gap = framework(scan, "kubernetes").unreadable[0]
    assert (gap.path, gap.hidden_by) == ("testdata/invalid.yaml", "skip-path testdata")
    assert scan.status is ScanStatus.COMPLETE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (laughs(6, 9) + "skip-check: *a5\n", "more than 10000 values"),
        ("framework: bicep\nskip-check: [CKV_1]\nframework: terraform\n", "given twice"),
        ("framework: bicep\n---\nframework: terraform\n", "2 documents"),
    ],
)
def test_a_configuration_that_is_not_usable_changes_nothing(
    runner: CheckovRunner, repository: Repository, text: str, why: str
) -> None:
    scan = scan_files(runner, repository, {CONFIG: text, "main.tf": BUCKET})
    assert len(scan.frameworks) == len(DEFAULT_FRAMEWORKS)
    assert "not usable" in scan.warnings[0] and why in scan.warnings[0]
