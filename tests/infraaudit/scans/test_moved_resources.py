"""What moved is the same finding: real commits, the real Checkov, and what blame, compare and the gate's "new" say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infraaudit.questions.findings import compare_rows
from infraaudit.scans.against_parent import changes_of
from infraaudit.scans.lifecycles import Line
from infraaudit.scans.scan_commit import store_scan
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import FrameworkScan
from resources.checkov import CheckovRunner
from resources.history import History
from resources.history.queries.lives import life_events
from tests.conftest import Repository
from tests.resources.databases import migrated_history

pytestmark = pytest.mark.slow

WORKFLOW = ".github/workflows/ci.yml"
JOB = "name: ci\non: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"
GREET = "      - name: greet\n        run: echo ${{ github.event.issue.title }}\n"
ECHO = "      - run: echo ${{ github.event.issue.title }}\n"
GOOD = "      - run: make\n"
BUCKET = 'resource "aws_s3_bucket" "%s" {\n  bucket = "b"\n}\n'
CALL = 'module "%s" {\n  source = "./bucket"\n}\n'
MOVED = "moved {\n  from = %s # no longer\n  to   = %s\n}\n"
ARGO = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  generateName: a-\nspec:\n  entrypoint: a\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n%sspec:\n  containers: [{name: web, image: web}]\n"
DOCKERFILE = "FROM debian:latest\nRUN apt-get update\nADD a b\n"
SKIPPING = {"scanner/checkov_config.yaml": "skip-path: [legacy/]\n"}
SAMPLES = {
    "a step put before the bad one": ({WORKFLOW: JOB + GREET}, {WORKFLOW: JOB + GOOD + GREET}),
    "a step between two that are equal": ({WORKFLOW: JOB + ECHO + ECHO}, {WORKFLOW: JOB + ECHO + GOOD + ECHO}),
    "a step before two that are equal": ({WORKFLOW: JOB + ECHO + ECHO}, {WORKFLOW: JOB + GOOD + ECHO + ECHO}),
    "steps in another order": ({WORKFLOW: JOB + GREET + GOOD + ECHO}, {WORKFLOW: JOB + ECHO + GREET + GOOD}),
    "a line before what is named by its lines": ({"a.yaml": ARGO}, {"a.yaml": "# a\n" + ARGO}),
    "a module call renamed": (
        {"bucket/main.tf": BUCKET % "b", "main.tf": CALL % "one"},
        {"main.tf": CALL % "two"},
    ),
    "a resource with a moved block": ({"main.tf": BUCKET % "a"}, {
        "main.tf": BUCKET % "b" + MOVED % ("aws_s3_bucket.a", "aws_s3_bucket.b")
    }),
    "a resource moved into a module": ({"main.tf": BUCKET % "a"}, {
        "bucket/main.tf": BUCKET % "b",
        "main.tf": CALL % "one" + MOVED % ("aws_s3_bucket.a", "module.one.aws_s3_bucket.b"),
    }),
    "a count": ({"main.tf": BUCKET % "a"}, {"main.tf": (BUCKET % "a").replace("{\n", "{\n  count = 1\n", 1)}),
    "a for_each": (
        {"main.tf": BUCKET % "a"}, {"main.tf": (BUCKET % "a").replace("{\n", "{\n  for_each = toset(['k'])\n".replace("'", '"'), 1)}
    ),
    "another namespace": (
        {"pod.yaml": POD % "  namespace: a\n"}, {"pod.yaml": POD % "  namespace: b\n"}
    ),
    "a step given a name": ({WORKFLOW: JOB + ECHO}, {WORKFLOW: JOB + ECHO.replace("- run", "- name: greet\n        run")}),
    "a Dockerfile renamed": (
        {"docker/Dockerfile": DOCKERFILE}, {"docker/Dockerfile": None, "image/Dockerfile": DOCKERFILE}
    ),
}  # fmt: skip


class Audited:
    """A repository whose commits are scanned by Checkov."""

    def __init__(self, repository: Repository, history: History, runner: CheckovRunner) -> None:
        self.repository, self.history, self.runner = repository, history, runner
        self.project = Project("p", str(repository.path))
        self.shas: list[str] = []

    def commit(self, files: dict[str, str | None]) -> None:
        sha = self.repository.write(files, "next")
        self.mirror = self.repository.mirror()
        store_scan(self.history, self.mirror, self.project, sha, self.runner)
        self.shas.append(sha)

    def line(self) -> Line:
        return Line(self.history, self.mirror, "p", "main").follow()

    def events(self) -> set[tuple[str, str]]:
        """What the last commit did, and why."""
        rows = life_events(self.line(), "production")
        return {(row["event"], row["cause"]) for row in rows if row["commit"] == self.shas[-1]}

    def compared(self) -> set[tuple[str, str]]:
        rows = compare_rows(self.line(), *self.shas[-2:])
        return {(row["change"], row["cause"]) for row in rows}

    def new(self) -> list[str]:
        """The resources of what counts as new."""
        scan = self.history.scan("p", self.shas[-1])
        assert scan is not None
        changes = changes_of(self.history, self.mirror, "p", scan)[1]
        return sorted({finding.resource for finding in (*changes.new, *changes.perhaps_new)})


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckovRunner]:
    stored: dict[str, FrameworkScan] = {}
    with CheckovRunner(tmp_path_factory.mktemp("scans"), {}, stored.get) as runner:
        yield runner


@pytest.fixture
def audited(repository: Repository, tmp_path: Path, runner: CheckovRunner) -> Audited:
    history = migrated_history(tmp_path)
    return Audited(repository, history, runner)


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_moved_begins_and_ends_no_life(audited: Audited, sample: str) -> None:
    before, after = SAMPLES[sample]
    audited.commit(before)
    audited.commit(after)
    assert audited.events() == {("moved", "code")}
    assert audited.compared() == {("moved", "code")}
    assert audited.new() == []


def test_a_file_that_moves_into_what_is_skipped_is_hidden_by_the_configuration(audited: Audited) -> None:
    audited.commit(SKIPPING | {"main.tf": BUCKET % "b"})
    audited.commit({"main.tf": None, "legacy/main.tf": BUCKET % "b"})
    assert audited.events() == {("moved", "config"), ("suppressed", "config")}
    assert audited.compared() == {("moved", "config")}
    assert audited.new() == []


def test_a_copy_is_new(audited: Audited) -> None:
    audited.commit({WORKFLOW: JOB + ECHO, "bucket/main.tf": BUCKET % "b", "main.tf": CALL % "one"})
    audited.commit({WORKFLOW: JOB + GOOD + ECHO + ECHO, "main.tf": CALL % "one" + CALL % "two"})
    assert audited.new() == ["jobs(build).steps[3]", "module.two.aws_s3_bucket.b"]
    assert {event for event, _ in audited.events()} == {"moved", "introduced"}


def test_another_name_at_the_same_place_is_another_finding(audited: Audited) -> None:
    audited.commit({WORKFLOW: JOB + GREET})
    audited.commit({WORKFLOW: JOB + GREET.replace("greet", "wave")})
    assert audited.new() == ["jobs(build).steps[1](wave)"]


def test_another_resource_without_a_block_is_another_finding(audited: Audited) -> None:
    audited.commit({"main.tf": BUCKET % "a"})
    audited.commit({"main.tf": BUCKET % "b" + "/*\n" + MOVED % ("aws_s3_bucket.a", "aws_s3_bucket.b") + "*/\n"})
    assert {event for event, _ in audited.events()} == {"fixed", "introduced"}
