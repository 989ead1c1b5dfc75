"""The runner on files that break the scanner, and on more than its limits let through."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from infraaudit_domain.scans.findings import ScanStatus
from resources.checkov import CheckovRunner
from resources.checkov.tree import neutral_folder
from tests.conftest import Repository
from tests.resources.checkov.scanned import BUCKET, CONFIG, framework, laughs, scan_files

pytestmark = pytest.mark.slow


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
