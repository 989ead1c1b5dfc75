"""A manifest, a workflow or a playbook that Checkov passes over is a gap with a reason."""

import pytest

from infraaudit_domain.scans.findings import ScanStatus
from resources.checkov import CheckovRunner
from tests.conftest import Repository
from tests.resources.checkov.scanned import POD, gaps, scan

pytestmark = pytest.mark.slow
WORKFLOW = """on: push
permissions: read-all
jobs:
  build:
    runs-on: ubuntu-latest
    env:
      ACTIONS_ALLOW_UNSECURE_COMMANDS: 'true'
    steps:
      - run: echo ${{ github.event.issue.title }}
"""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# image was {{ .Values.image }} before\n" + POD, "Helm template stand in it"),
        (POD.replace("      image: web:1\n", "      image: web:1\n      args:\n        - =\n"), "could not determine"),
        (POD.replace("name: web\nspec", "name: ${APP}\nspec"), "${APP}"),
        (POD + "{% if a %}\nbad: [\n", "no YAML"),
        (POD.replace("name: web\nspec", "name: 8080\nspec"), "8080"),
        (POD.replace("apiVersion: v1\n", ""), "apiVersion"),
        (POD.replace("  name: web\nspec", "  generateName: web-\nspec"), "no manifest without a name"),
        ("- " + POD, "no YAML"),
        (POD.replace("privileged", "\tprivileged"), "no YAML"),
    ],
)
def test_a_manifest_that_checkov_passes_over_is_a_gap(
    reader: CheckovRunner, repository: Repository, text: str, word: str
) -> None:
    one = scan(reader, repository, {"pod.yaml": text, "good.yaml": POD})["kubernetes"]
    assert one.status is ScanStatus.PARTIAL and [*gaps(one)] == ["pod.yaml"]
    assert word in gaps(one)["pod.yaml"]
    assert {finding.file_path for finding in one.findings} == {"good.yaml"}
    assert one.evidence is not None and one.evidence.expected == 2
    assert "pod.yaml" not in one.evidence.passed


def test_a_workflow_that_checkov_passes_over_is_a_gap(reader: CheckovRunner, repository: Repository) -> None:
    folder = ".github/workflows"
    files = {
        f"{folder}/good.yml": WORKFLOW,
        f"{folder}/broken.yml": WORKFLOW + "bad: [\n",
        f"{folder}/schema.yml": "on: push\njobs: none\n",
        ".github/dependabot.yml": "version: 2\nupdates: [\n",
    }
    one = scan(reader, repository, files)["github_actions"]
    assert [*gaps(one)] == [f"{folder}/broken.yml", f"{folder}/schema.yml"]
    assert "no YAML" in gaps(one)[f"{folder}/broken.yml"] and "schema" in gaps(one)[f"{folder}/schema.yml"]
    assert {finding.file_path for finding in one.findings} == {f"{folder}/good.yml"}


def test_only_the_documents_that_were_read_count(reader: CheckovRunner, repository: Repository) -> None:
    second = POD.replace("name: web\nspec", "name: ${APP}\nspec")
    one = scan(reader, repository, {"pods.yaml": f"{POD}---\n{second}"})["kubernetes"]
    assert "1 of 2 parts were not read (the one in line 11)" in gaps(one)["pods.yaml"]
    assert one.findings
    second = POD.replace("name: web\nspec", "generateName: web-\nspec")
    one = scan(reader, repository, {"pods.yaml": f"{POD}---\n{second}"})["kubernetes"]
    assert "line 11): Checkov checks no manifest without a name" in gaps(one)["pods.yaml"]
    swagger = "openapi: 3.0.0\ninfo: {title: a, version: '1'}\npaths: {}\n"
    one = scan(reader, repository, {"pods.yaml": None, "api.yaml": f"{swagger}---\n{swagger}"})["openapi"]
    assert "line 4" in gaps(one)["api.yaml"]


def test_a_playbook_of_nameless_tasks_is_a_gap(reader: CheckovRunner, repository: Repository) -> None:
    found = scan(reader, repository, {"site.yml": "- hosts: web\n  tasks:\n    - include: install.yml\n"})
    assert "one of its tasks has a name" in gaps(found["ansible"])["site.yml"]
