"""The `tests` of a project's entry."""

from pathlib import Path

import pytest

from infraaudit_domain.delivery.test_plans import NoTests, TestCommand, TestPlan
from infraaudit_domain.errors import ConfigurationError
from resources.configuration.projects import load_projects, read_projects

HEAD = "projects:\n  - name: shop\n    url: x\n"
IMAGES = "    images: [{name: web, dockerfile: W}, {name: jobs, dockerfile: J}]\n"


def written(folder: Path, tests: str) -> Path:
    path = folder / "projects.yaml"
    path.write_text(f"{HEAD}{tests}")
    return path


@pytest.mark.parametrize(
    ("tests", "plan"),
    [
        ("", None),
        ("    tests:\n", None),
        ("    tests: null\n", None),
        ("    tests: none\n", NoTests()),
        ("    tests: {command: [make, test]}\n", TestCommand(("make", "test"))),
        (
            f"{IMAGES}    tests: {{command: [./run], target: test, junit: out/j.xml, image: jobs}}\n",
            TestCommand(("./run",), "test", "out/j.xml", "jobs"),
        ),
    ],
)
def test_only_the_word_none_means_none(tmp_path: Path, tests: str, plan: TestPlan) -> None:
    (project,) = read_projects(written(tmp_path, tests))
    assert project.tests == plan and project.fault == ""
    assert project.tests_image.name == (plan.image if isinstance(plan, TestCommand) else "")


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ("    tests: false\n", "tests"),
        ("    tests: []\n", "tests"),
        ("    tests: {}\n", "command"),
        ("    tests: {command: []}\n", "command"),
        ("    tests: {command: make test}\n", "command"),
        ("    tests: {command: ['']}\n", "command"),
        ("    tests: {command: [a], shell: true}\n", "shell"),
        ("    tests: {command: [a], junit: report.xml}\n", "folder of its own"),
        ("    tests: {command: [a], junit: ../out/report.xml}\n", "without .."),
        ("    tests: {command: [a], junit: 'out:rw/report.xml'}\n", "junit"),
        ("    tests: {command: [a], image: web}\n", "images has none"),
        (f"{IMAGES}    tests: {{command: [a], image: other}}\n", "images has web, jobs"),
        ("    images: [{name: tests, dockerfile: T}]\n    tests: {command: [a], target: t}\n", "rename it"),
    ],
)
def test_what_is_odd_is_a_fault_and_stops_that_project(tmp_path: Path, tests: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        read_projects(written(tmp_path, tests))
    (project,) = load_projects(tmp_path / "projects.yaml")
    assert project.name == "shop" and words in project.fault and not isinstance(project.tests, NoTests)
