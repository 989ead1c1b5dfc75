"""The sample history keeps its promises: real Git, one real Checkov, and its own tests in images really built."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.make_history import make_history
from tests import ROOT

BASE = "A service that audits manifests and Terraform"
ADDS = "Keep uploads in a bucket, and let maintenance in"
FIXES = "Close SSH to the world, and the bucket to strangers"
MOVES = "Say what the Terraform files are for"
COPIES = "A bucket for reports, like the one for uploads"
FAILS = "Find secrets written into Terraform"
REPAIRS = "A reference is no secret"
NEVER_READY = "Let a site set its own severities"
READY_AGAIN = "Be ready without a file of severities"
DOCUMENTS = "Document the rules"

Findings = set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("example") / "infraauditai"
    make_history(path)
    return path


@pytest.fixture(scope="module")
def shas(history: Path) -> dict[str, str]:
    """SHA by subject, oldest first."""
    lines = git(history, "log", "--reverse", "--format=%s%x00%H").splitlines()
    return dict(line.split("\0") for line in lines)


def git(repository: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(repository), *words], check=True, capture_output=True, text=True).stdout


def changed(history: Path, sha: str) -> set[str]:
    return set(git(history, "diff-tree", "--no-commit-id", "--name-only", "-r", sha).split())


def test_the_commits_are_the_promised_ones_in_order(shas: dict[str, str]) -> None:
    promised = [BASE, ADDS, FIXES, MOVES, COPIES, FAILS, REPAIRS, NEVER_READY, READY_AGAIN, DOCUMENTS]
    assert list(shas) == promised


def test_the_readme_names_them(shas: dict[str, str]) -> None:
    """So do docs/answers.md and the pictures: a byte of the sample is a change of them all."""
    shown = re.findall(r"^    ([0-9a-f]{7})   \S", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert shown == [sha[:7] for sha in shas.values()]


def test_every_machine_makes_the_same_repository(
    shas: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text("[commit]\n gpgsign = true\n[core]\n autocrlf = true\n[user]\n name = Somebody\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert make_history(tmp_path / "again.git") == shas[DOCUMENTS]
    assert git(tmp_path / "again.git", "rev-parse", "--is-bare-repository").strip() == "true"


def test_a_history_can_be_cut_short_and_is_never_overwritten(shas: dict[str, str], tmp_path: Path) -> None:
    assert make_history(tmp_path / "short", commits=2) == shas[ADDS]
    script = [sys.executable, str(ROOT / "examples" / "make_history.py"), str(tmp_path / "short")]
    refused = subprocess.run(script, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "exists already" in refused.stderr
    assert os.listdir(tmp_path) == ["short"]


def test_moving_lines_changes_no_line(history: Path, shas: dict[str, str]) -> None:
    def code(sha: str) -> list[str]:
        text = "".join(git(history, "show", f"{sha}:terraform/{name}.tf") for name in ("storage", "network"))
        return sorted(line for line in text.splitlines() if line and not line.startswith("#"))

    assert code(shas[MOVES]) == code(shas[FIXES])
    assert changed(history, shas[MOVES]) == {"terraform/storage.tf", "terraform/network.tf"}


def test_only_commits_of_the_application_change_what_the_image_is_made_of(history: Path, shas: dict[str, str]) -> None:
    ignored = git(history, "show", f"{shas[BASE]}:.dockerignore").split()
    reaches_image = {
        subject
        for subject, sha in shas.items()
        if any(path.split("/")[0] not in ignored and not path.endswith(".md") for path in changed(history, sha))
    }
    assert reaches_image == {FAILS, REPAIRS, NEVER_READY, READY_AGAIN}


def scan(folder: Path) -> Findings:
    """What Checkov itself, unaided, finds in a folder."""
    config = folder / "scanner" / "checkov_config.yaml"
    words = [
        "-m",
        "checkov.main",
        "-d",
        ".",
        "--config-file",
        str(config),
        "--compact",
        "-o",
        "json",
        "--skip-download",
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BC_", "CKV_", "CHECKOV_"))}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment | {"CHECKOV_PARALLELIZATION_TYPE": "none"},
        capture_output=True,
        text=True,
    )
    reports = json.loads(done.stdout)
    return {
        (found["check_id"], found["file_path"], found["resource"])
        for report in (reports if isinstance(reports, list) else [reports])
        for found in report["results"]["failed_checks"]
    }


@pytest.fixture(scope="module")
def findings(history: Path, shas: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Findings]:
    """The findings of the first five commits: all that change Terraform, each in a folder of one Checkov run."""
    together = tmp_path_factory.mktemp("scans")
    subjects = [BASE, ADDS, FIXES, MOVES, COPIES]
    for number, subject in enumerate(subjects):
        git(history, "worktree", "add", "--quiet", "--detach", str(together / str(number)), shas[subject])
    return {subject: scan(together / str(number)) for number, subject in enumerate(subjects)}


@pytest.mark.e2e
def test_findings_come_and_go_as_promised(findings: dict[str, Findings]) -> None:
    added, fixed = findings[ADDS] - findings[BASE], findings[ADDS] - findings[FIXES]
    assert findings[BASE] <= findings[ADDS]
    assert {"CKV_AWS_20", "CKV_AWS_24", "CKV_AWS_3"} <= {check for check, _, _ in added}
    assert {check for check, _, _ in fixed} == {"CKV_AWS_20", "CKV_AWS_24", "CKV_AWS_3"}
    assert findings[FIXES] < findings[ADDS]
    assert findings[MOVES] == findings[FIXES]
    copied = findings[COPIES] - findings[MOVES]
    assert findings[MOVES] < findings[COPIES]
    assert {resource for _, _, resource in copied} == {"aws_s3_bucket.reports"}


@pytest.mark.e2e
def test_the_images_build_and_their_tests_end_as_promised(
    history: Path, shas: dict[str, str], needs: Callable[[str], None]
) -> None:
    needs("engine")
    made = subprocess.run([ROOT / "docker" / "make-base-image.sh"], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no base image: {made.stderr}")
    base = made.stdout.strip()
    results = {subject: run_tests(history, shas[subject], base) for subject in (BASE, FAILS, REPAIRS, NEVER_READY)}
    assert results == {BASE: (0, "21 passed"), FAILS: (1, "1 failed, 22 passed"), REPAIRS: (0, "23 passed"),
                       NEVER_READY: (0, "26 passed")}  # fmt: skip


def run_tests(history: Path, sha: str, base: str) -> tuple[int, str]:
    """Build a commit's image, run its tests in it without network or a writable root, and remove it."""
    engine = os.environ.get("ENGINE", "docker")
    image = f"infraaudit-test/example:{sha[:12]}"
    folder = history.parent / sha
    git(history, "worktree", "add", "--quiet", "--detach", str(folder), sha)
    build = [
        engine,
        "build",
        "--quiet",
        "--build-arg",
        f"BASE_IMAGE={base}",
        "--file",
        "docker/Dockerfile",
        "--tag",
        image,
    ]
    subprocess.run([*build, "."], cwd=folder, check=True, capture_output=True)
    sandbox = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--user", "10001:10001", "--tmpfs", "/tmp"]
    pytest_words = ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "src/tests"]
    try:
        run = [engine, "run", "--rm", *sandbox, image, *pytest_words]
        done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    finally:
        subprocess.run([engine, "rmi", "--force", image], capture_output=True)
    return done.returncode, done.stdout.splitlines()[-1].partition(" in ")[0]
