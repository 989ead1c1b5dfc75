"""This project as its own first customer: configs/projects-own.yaml takes the commit at hand through the pipeline."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import ROOT
from tests.conftest import require
from tests.e2e.own_image import docker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def git(folder: Path, *words: str) -> str:
    # Whoever runs the tests may not be the one who owns the clone.
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", folder, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_our_own_commit_is_built_tested_and_free_of_findings(tmp_path: Path) -> None:
    require("engine")
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a clone of the repository")
    sha = git(ROOT, "rev-parse", "HEAD")
    git(tmp_path, "clone", "--quiet", "--bare", f"file://{ROOT}", "own.git")
    git(tmp_path / "own.git", "update-ref", "refs/heads/main", sha)
    projects = yaml.safe_load((ROOT / "configs" / "projects-own.yaml").read_text())
    projects["projects"][0]["url"] = str(tmp_path / "own.git")
    (tmp_path / "projects.yaml").write_text(yaml.safe_dump(projects))
    base = subprocess.run([ROOT / "docker" / "make-base-image.sh"], capture_output=True, text=True, check=True)
    environment = os.environ | {
        "INFRAAUDIT_HOME": str(tmp_path / "home"),
        "INFRAAUDIT_REPORTS": str(tmp_path / "reports"),
        "INFRAAUDIT_PROJECTS": str(tmp_path / "projects.yaml"),
        "INFRAAUDIT_BASE_IMAGE": base.stdout.strip(),
        "INFRAAUDIT_TARGET": "none",
    }
    words = [Path(sys.executable).with_name("infraaudit"), "run", "--project", "infraaudit", "--commit", sha, "--json"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    try:
        reported = json.loads(done.stdout)
        report = json.loads((tmp_path / "reports" / "infraaudit" / f"{sha}.json").read_text())
        assert (reported["succeeded"], report["status"]) == (True, "complete")
        assert [finding for finding in report["findings"] if finding["status"] == "open"] == []
        assert report["findings"], "the suppressed ones are reported too"
        assert reported["tests"]["passed"] > 0 and reported["tests"]["failed"] == 0
    finally:
        docker("image", "rm", f"infraaudit/infraaudit:{sha[:12]}", check=False)
