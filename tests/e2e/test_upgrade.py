"""An installation of 70f0370, the last revision before the rooms moved, is opened by the code of today.

The old code comes from this repository's own history and runs with today's libraries. Where a clone is shallow the
tests are skipped, and say so.
"""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT
from tests.conftest import Repository

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
OLD = "70f0370"
OPEN = 'resource "aws_security_group_rule" "r" {\n  type = "ingress"\n  cidr_blocks = ["0.0.0.0/0"]\n}\n'
EDIT = "# our own\nconcurrency: {runs: {max_concurrent_runs: 3}}\n"


@dataclass
class Installation:
    """A state folder, and the programs of both revisions on it."""

    old: Path
    environment: dict[str, str]
    repository: Repository

    def run(self, *words: str, tree: Path = ROOT) -> str:
        main = "import sys; from infraaudit_assets.cli import main; sys.argv[0] = 'infraaudit'; main()"
        done = subprocess.run(
            [sys.executable, "-c", main, *words], cwd=tree, capture_output=True, text=True, timeout=200,
            env=self.environment | {"PYTHONPATH": str(tree)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, *words: str, tree: Path = ROOT) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run(*words, "--project", "p", "--format", "json", tree=tree))
        return found


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = subprocess.run(["git", "-C", str(ROOT), "archive", "--format=tar", OLD], capture_output=True)
    if done.returncode:
        pytest.skip(f"this clone's history has no {OLD}")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def installation(old_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Made by the old code: one commit through the pipeline (its audit half), and a dagster.yaml that a site edited."""
    folder = tmp_path_factory.mktemp("installation")
    repository = Repository(folder / "repository")
    repository.write({"main.tf": OPEN}, "first")
    (folder / "projects.yaml").write_text(f"projects: [{{name: p, url: {repository.path}}}]")
    names = {"HOME": "home", "REPORTS": "reports", "PROJECTS": "projects.yaml"}
    own = {f"INFRAAUDIT_{name}": str(folder / path) for name, path in names.items()}
    made = Installation(old_tree, os.environ | own | {"INFRAAUDIT_ENGINE": "none"}, repository)
    made.run("run", "--project", "p", "--commit", "main", tree=old_tree)
    instance = folder / "home" / "dagster" / "dagster.yaml"
    assert "sensors.run_queue" in instance.read_text()
    instance.write_text(instance.read_text() + EDIT)
    return made


def test_what_the_old_code_answered_the_new_one_answers(installation: Installation) -> None:
    asked = (("findings",), ("blame", "--path", "main.tf"), ("trends",), ("sla",))
    # The old code cannot read a history that the new one has migrated: everything is asked of it first.
    before = [installation.rows(*question, tree=installation.old) for question in asked]
    assert all(before)
    for question, then in zip(asked, before, strict=True):
        now = installation.rows(*question, tree=ROOT)
        # A column may be added, and none be lost; the most severe come first now.
        names = _steady(then[0])
        assert sorted(repr([row[name] for name in names]) for row in now) == sorted(
            repr([row[name] for name in names]) for row in then
        ), question


def _steady(row: dict[str, Any]) -> dict[str, Any]:
    """Without ages, which grow between two calls, and guidelines, which the old code did not have."""
    return {
        name: value for name, value in row.items() if "days" not in name and "hours" not in name and name != "guideline"
    }


def test_a_further_commit_runs_with_the_dagster_yaml_that_was_edited(installation: Installation) -> None:
    before = len(installation.rows("findings"))
    sha = installation.repository.write({"main.tf": OPEN + OPEN.replace('"r"', '"s"')}, "second")
    installation.run("run", "--project", "p", "--commit", "main")
    assert len(installation.rows("findings", "--at", sha)) == 2 * before
    home = Path(installation.environment["INFRAAUDIT_HOME"]) / "dagster"
    assert (home / "dagster.yaml").read_text().endswith(EDIT)
    script = (
        "import dagster as dg\nwith dg.DagsterInstance.get() as one:\n"
        "    print(type(one.run_coordinator).__name__, one.get_runs_count(), one.get_dynamic_partitions('p_commits'))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT,
        env=installation.environment | {"DAGSTER_HOME": str(home)},
    )  # fmt: skip
    queue, runs, partitions = asked.stdout.split(maxsplit=2)
    assert (queue, runs) == ("KeyedRunQueue", "2") and sha in partitions


def test_every_class_that_old_files_of_dagster_name_is_there(old_tree: Path) -> None:
    files = [*(old_tree / "configs").rglob("*.yaml"), *(old_tree / "docker").rglob("*.yaml")]
    named = {one for file in files for document in yaml.safe_load_all(file.read_text()) for one in _classes(document)}
    assert ("sensors.run_queue", "KeyedRunQueue") in named and ("sensors.run_jobs", "RunJobs") in named
    for module, name in named:
        assert isinstance(getattr(import_module(module), name), type), f"{module}.{name}"


def _classes(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if isinstance(node.get("module"), str) and isinstance(node.get("class"), str):
            yield node["module"], node["class"]
        for value in node.values():
            yield from _classes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _classes(value)
