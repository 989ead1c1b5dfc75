"""The runner on real commits with the real Checkov: good input, bad input, limits."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_domain.scans.checkov_report import parse_report
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, Severity
from resources.checkov import CheckovRunner, ScanLimits
from resources.checkov.secret_key import secret_key
from resources.checkov.tree import neutral_folder
from tests import ROOT
from tests.conftest import Repository

pytestmark = pytest.mark.slow

FIXTURE = ROOT / "tests/resources/checkov/fixture/app"
CONFIG = "scanner/checkov_config.yaml"
BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'


@pytest.fixture(scope="module")
def stored() -> dict[str, FrameworkScan]:
    return {}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Hidden, as the default state folder is: Checkov would leave out every Kubernetes manifest below it.
    return tmp_path_factory.mktemp("state") / ".infraaudit" / "scans"


@pytest.fixture(scope="module")
def runner(scratch: Path, stored: dict[str, FrameworkScan]) -> Iterator[CheckovRunner]:
    limits = ScanLimits(seconds=40, file_bytes=200_000, files=500)
    with CheckovRunner(scratch, {"CKV_AWS_18": Severity.LOW}, stored.get, limits) as runner:
        yield runner


def framework(scan: Scan, name: str) -> FrameworkScan:
    return next(one for one in scan.frameworks if one.framework == name)


def commit_fixture(repository: Repository) -> str:
    shutil.copytree(FIXTURE, repository.path, dirs_exist_ok=True)
    return repository.write({}, "fixture")


def laughs(levels: int, times: int) -> str:
    """A list of lists of lists …, each level the one before so many times: few aliases, many nodes."""
    lines = ["a0: &a0 [x]\n", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * times)}]\n" for n in range(1, levels))]
    return "".join(lines)


def scan_files(runner: CheckovRunner, repository: Repository, files: dict[str, str | None]) -> Scan:
    sha = repository.write(files, "files")
    return runner.scan(repository.mirror(), sha, CONFIG)


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


def test_bad_files_make_a_partial_scan_of_the_rest(runner: CheckovRunner, repository: Repository) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a}]}\n"
    bomb = "apiVersion: v1\nkind: List\n" + laughs(10, 9)
    many_aliases = pod + "a: &a [x]\nb: [" + "*a," * 500 + "*a]\n"
    files = {
        "good.yaml": pod,
        "good.tf": BUCKET,
        "broken.tf": 'resource "aws_s3_bucket" {{{\n',
        "broken.yaml": "apiVersion: v1\nkind: Pod\n  bad: [indent\n",
        "bomb.yaml": bomb,
        "aliases.yaml": many_aliases,
        "inside.yaml": "apiVersion: v1\nkind: Pod\na: &a [*a]\n",
        "new\nline.tf": BUCKET,
        "deep.yaml": "apiVersion: v1\nkind: Pod\na: " + "[" * 5000 + "]" * 5000 + "\n",
        "huge.json": '{"a": "' + "x" * 300_000 + '"}',
    }
    repository.write(files, "bad")
    os.symlink("/etc", repository.path / "etc")
    os.symlink(".", repository.path / "loop")
    os.symlink("/etc/hosts", repository.path / "hosts.tf")
    (Path(os.fsdecode(os.fsencode(repository.path) + b"/\xff.tf"))).write_text(BUCKET)
    scan = scan_files(runner, repository, {})
    kubernetes, terraform = framework(scan, "kubernetes"), framework(scan, "terraform")
    assert scan.status is ScanStatus.PARTIAL
    assert {file.path for file in kubernetes.unreadable} == {
        "broken.yaml",
        "bomb.yaml",
        "deep.yaml",
        "huge.json",
        "inside.yaml",
    }
    assert {file.path for file in terraform.unreadable} == {"broken.tf", "\\udcff.tf", "new\\nline.tf", "hosts.tf"}
    assert {f.file_path for f in kubernetes.findings} == {"good.yaml", "aliases.yaml"}
    assert {f.file_path for f in terraform.findings} == {"good.tf"}
    assert framework(scan, "dockerfile").status is ScanStatus.COMPLETE
    assert all(file.reason for one in scan.frameworks for file in one.unreadable)


def test_modules_outside_of_the_tree_are_not_read(runner: CheckovRunner, repository: Repository, scratch: Path) -> None:
    outside = scratch / "outside"
    outside.mkdir()
    (outside / "main.tf").write_text(BUCKET)
    source = 'module "m" {\n  source = "../../outside"\n}\n'
    scan = scan_files(runner, repository, {"main.tf": source})
    assert not [f for f in scan.findings if "aws_s3_bucket" in f.resource]


def test_a_file_that_crashes_a_framework_is_left_out(runner: CheckovRunner, repository: Repository) -> None:
    good = "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties: {BucketName: a}\n"
    bad = "Resources:\n  B:\n    Type: [AWS::S3::Bucket]\n"
    scan = scan_files(runner, repository, {"good.yaml": good, "bad.yaml": bad})
    one = framework(scan, "cloudformation")
    assert one.status is ScanStatus.PARTIAL, one.reason
    assert [file.path for file in one.unreadable] == ["bad.yaml"]
    assert {f.file_path for f in one.findings} == {"good.yaml"}


def test_a_file_that_crashes_a_framework_and_is_alone_is_named(runner: CheckovRunner, repository: Repository) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {1: x}}\nspec: {containers: [{name: a, image: a}]}\n"
    one = framework(scan_files(runner, repository, {"pod.yaml": pod}), "kubernetes")
    assert one.status is ScanStatus.PARTIAL, one.reason
    assert [file.path for file in one.unreadable] == ["pod.yaml"]
    assert "it breaks kubernetes: Checkov crashed" in one.unreadable[0].reason


def test_files_that_nothing_reads_are_no_gap_and_use_up_no_limit(runner: CheckovRunner, repository: Repository) -> None:
    pictures: dict[str, str | None] = {f"pictures/{n}.png": "x" for n in range(600)}
    scan = scan_files(runner, repository, {**pictures, "film.mp4": "x" * 300_000, "z.tf": BUCKET})
    assert scan.status is ScanStatus.COMPLETE, [(one.framework, one.reason) for one in scan.frameworks if one.reason]
    assert {f.file_path for f in scan.findings} == {"z.tf"}
    service = "service: a\nprovider: {name: aws}\n"
    scan = scan_files(runner, repository, dict.fromkeys(pictures) | {"a/serverless.yml": service})
    may_include = framework(scan, "serverless")
    assert may_include.status is ScanStatus.PARTIAL and [one.path for one in may_include.unreadable] == ["film.mp4"]
    assert {one.framework for one in scan.frameworks if one.status is not ScanStatus.COMPLETE} == {"serverless"}


def test_a_hundred_thousand_files_and_a_huge_one_are_a_bounded_partial_scan(
    runner: CheckovRunner, repository: Repository
) -> None:
    sha = repository.write({"a.tf": BUCKET, "huge.tf": "# " + "x" * 50_000_000}, "huge")
    blob = repository.git("rev-parse", f"{sha}:a.tf")
    listing = "".join(f"100644 {blob}\tdir{n % 100}/{n}.tf\n" for n in range(100_000))
    subprocess.run(["git", "update-index", "--index-info"], input=listing, text=True, check=True, cwd=repository.path)
    repository.git("commit", "--quiet", "--message", "many")
    scan = runner.scan(repository.mirror(), repository.git("rev-parse", "HEAD"), CONFIG)
    terraform = framework(scan, "terraform")
    assert terraform.status is ScanStatus.PARTIAL and "99502 file(s)" in terraform.reason
    assert len(terraform.unreadable) == 1001 and "98502 more" in terraform.unreadable[-1].reason
    assert "a.tf" in {f.file_path for f in terraform.findings}
    assert len({f.file_path for f in terraform.findings}) == 500


def test_an_empty_commit_is_a_complete_scan(runner: CheckovRunner, repository: Repository) -> None:
    scan = scan_files(runner, repository, {"readme.md": "hello"})
    assert scan.status is ScanStatus.COMPLETE and scan.findings == ()


def test_trees_lie_where_their_own_path_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert neutral_folder(tmp_path / "state") == tmp_path / "state"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for tainted in (".infraaudit/scans", "venv/scans", "node_modules"):
        folder = neutral_folder(tmp_path / tainted)
        assert folder == tmp_path / f"infraaudit-scans-{os.geteuid()}" and folder.stat().st_mode & 0o077 == 0
    folder.rmdir()
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    assert neutral_folder(tmp_path / ".infraaudit/scans").parent in (Path("/var/tmp"), Path("/tmp"))


def test_a_process_that_is_used_is_not_taken_for_left_behind(runner: CheckovRunner, repository: Repository) -> None:
    scan_files(runner, repository, {"a.tf": BUCKET.replace('"b"', '"first"')})
    folder = Path(f"/proc/{runner.parent.pid}/cwd").resolve()
    os.utime(folder, (0, 0))
    scan_files(runner, repository, {"a.tf": BUCKET.replace('"b"', '"second"')})
    assert folder.name.startswith("parent-") and time.time() - folder.stat().st_mtime < 3600
