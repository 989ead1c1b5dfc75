"""The whole pipeline as a user starts it: the program, a real repository, a real engine, a real cluster."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
PROGRAM = Path(sys.executable).with_name("infraaudit")


def _infraaudit(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {"INFRAAUDIT_HOME": str(home), "INFRAAUDIT_REPORTS": str(home / "reports")} | environment
    return subprocess.run([PROGRAM, *words], env=os.environ | settings, capture_output=True, text=True, timeout=600)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("sample")
def test_the_demo_delivers_and_audits_every_commit(needs: Callable[[str], None], tmp_path: Path) -> None:
    needs("engine")
    needs("kubernetes")
    home = tmp_path / ".infraaudit"  # hidden, as it is by default
    done = _infraaudit(home, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((home / "demo/summary.json").read_text())
    commits = summary["commits"]
    outcomes = [commit["deployment"]["outcome"] for commit in commits]
    assert len(commits) >= 9
    assert {"deployed", "skipped", "rolled_back"} == set(outcomes)
    assert outcomes[-1] == "deployed"
    by_outcome = {outcome: commits[number] for number, outcome in enumerate(outcomes)}
    assert by_outcome["rolled_back"]["tests"]["failed"] == 0
    assert any(commit["tests"]["failed"] for commit in commits if commit["deployment"]["outcome"] == "skipped")
    assert any(commit["findings"]["new"] for commit in commits[1:]) and any(c["findings"]["fixed"] for c in commits)
    assert any(commit["image"]["reused"] for commit in commits) and not commits[0]["image"]["reused"]
    assert summary["live"]["sha"] == commits[-1]["sha"] and summary["live"]["healthy"]
    with urllib.request.urlopen(f"{summary['live']['url']}/healthz", timeout=30) as response:
        assert response.status == 200
    latest = json.loads((home / "reports/latest_scan.json").read_text())
    assert latest["commit"] == commits[-1]["sha"] and latest["summary"]["open"] == commits[-1]["findings"]["total"]
    assert {one["framework"] for one in latest["findings"]} == {"dockerfile", "kubernetes", "terraform"}


@pytest.mark.timeout(600)
def test_without_an_engine_the_audit_half_works(tmp_path: Path) -> None:
    done = _infraaudit(tmp_path, "demo", INFRAAUDIT_ENGINE="none")
    assert done.returncode == 0, done.stdout + done.stderr
    commits = json.loads((tmp_path / "demo/summary.json").read_text())["commits"]
    assert len(commits) >= 9
    assert all(commit["findings"] is not None and commit["image"] is None for commit in commits)
    assert {commit["deployment"]["outcome"] for commit in commits} == {"skipped"}
    assert "docker_image was skipped" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("run", "--project", "nobody", "--commit", "main"), 2, "has no project 'nobody'; it has: one"),
        (("run", "--project", "one", "--commit", "nothing"), 1, "has no commit 'nothing'"),
        (("run", "--project", "gone", "--commit", "main"), 1, "cannot be read"),
    ],
)
def test_a_mistake_is_one_clear_error(
    tmp_path: Path, repository: object, words: tuple[str, ...], code: int, message: str
) -> None:
    repository.write({"a": "1"}, "base")  # type: ignore[attr-defined]
    projects = tmp_path / "projects.yaml"
    names = f"{{name: one, url: {repository.path}}}, {{name: gone, url: {tmp_path}/gone}}"  # type: ignore[attr-defined]
    projects.write_text(f"projects: [{names}]")
    done = _infraaudit(tmp_path / "home", *words, INFRAAUDIT_PROJECTS=str(projects))
    assert done.returncode == code, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr


def test_a_broken_dockerfile_fails_the_image_and_deploys_nothing(
    needs: Callable[[str], None], tmp_path: Path, repository: object
) -> None:
    needs("engine")
    repository.write({"docker/Dockerfile": "FROM scratch\nNONSENSE here\n"}, "broken")  # type: ignore[attr-defined]
    projects = tmp_path / "projects.yaml"
    projects.write_text(f"projects: [{{name: one, url: {repository.path}}}]")  # type: ignore[attr-defined]
    done = _infraaudit(
        tmp_path / "home", "run", "--project", "one", "--commit", "main", "--json", INFRAAUDIT_PROJECTS=str(projects)
    )
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout[done.stdout.index("\n{") if not done.stdout.startswith("{") else 0 :])
    assert result["image"] is None and result["tests"] is None
    assert result["deployment"]["outcome"] == "skipped"
    assert "NONSENSE" in result["reasons"]["docker_image"].upper()
    assert result["findings"] is not None
