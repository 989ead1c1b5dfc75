"""A command in a stage of the image's Dockerfile, on the real engine: an image of its own, which is not deployed."""

from pathlib import Path

import dagster as dg
import pytest

from infraaudit.deploying.release import further_references
from infraaudit_assets.assets import build_project_assets
from infraaudit_assets.connections import build_resources
from infraaudit_assets.settings import Settings
from infraaudit_domain.dagster_names import image_name
from infraaudit_domain.delivery.builds import BuildRules, Isolation
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.delivery.test_plans import TestCommand
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.projects import Paths, Project
from resources.dagster.partitions import commits_of
from resources.dagster.resources import GitResource
from resources.engine import Engine
from resources.history import open_history
from resources.history.queries.further_images import further_images
from tests.conftest import Repository
from tests.resources.engines import BASE, PROJECT, engine

__all__ = ["engine"]
DOCKERFILE = """ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS run
WORKDIR /app
COPY app.txt .
FROM run AS test
COPY check.sh .
FROM run
"""
CHECK = """echo '<testsuite><testcase name="kept"/></testsuite>' > reports/junit.xml
grep -q good app.txt
"""


@pytest.mark.slow
def test_the_tests_run_in_a_stage_of_the_image(engine: Engine, repository: Repository, tmp_path: Path) -> None:
    project = Project(
        PROJECT,
        str(repository.path),
        paths=Paths(dockerfile="Dockerfile"),
        tests=TestCommand(("sh", "check.sh"), "test", "reports/junit.xml"),
        build_args={"BASE_IMAGE": BASE},
        build=BuildRules(Isolation.NONE),
    )
    settings = Settings(home=tmp_path / "home")
    history = open_history(settings.history_url)
    history.migrate()

    def tested(sha: str) -> TestRun:
        resources = build_resources(settings)
        git = resources["git"]
        assert isinstance(git, GitResource)
        git.connect(project).fetch()
        assets = [one for one in build_project_assets(project) if one.key.path[-1] in ("docker_image", "test_results")]
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions(commits_of(project).name or "", [sha])
            dg.materialize(assets, instance=instance, partition_key=sha, resources=resources, raise_on_error=False)
        run = history.test_run(PROJECT, sha)
        assert run is not None
        return run

    files = {
        "Dockerfile": DOCKERFILE,
        "app.txt": "good\n",
        "check.sh": CHECK,
        ".dockerignore": "*\n!app.txt\n!check.sh\n",
    }
    first = repository.write(files, "tests that pass")
    assert [(case.name, case.outcome) for case in tested(first).cases] == [("kept", "passed")]
    image, own = history.image(PROJECT, first), further_images(history, PROJECT, first)["tests"]
    assert image is not None and image.image_id != own.image_id and own.reused_from is None
    assert engine.run("run", "--rm", "--network=none", image.reference, "ls").text.split() == ["app.txt"]
    assert further_references(history, project, project.environment, first) == [], (
        "the image of the tests is not deployed"
    )

    second = repository.write({"README.md": "words"}, "words alone")
    assert judge_tests(tested(second)).passed
    assert further_images(history, PROJECT, second)["tests"].reused_from == first

    third = repository.write({"app.txt": "bad\n"}, "tests that fail")
    assert "ended with exit code 1, and its report names no failure" in tested(third).reason

    fourth = repository.write({"Dockerfile": DOCKERFILE.replace("COPY check.sh", "COPY lost.sh")}, "a broken stage")
    assert tested(fourth).reason.startswith("the stage test of Dockerfile does not build")
    assert not judge_tests(tested(fourth)).passed and history.image(PROJECT, fourth) is not None


def test_they_wait_for_the_image_that_they_are_in() -> None:
    images = (ImageSource("web", "W"), ImageSource("jobs", "J"))
    project = Project("shop", "x", images=images, tests=TestCommand(("make",), image="jobs"))
    assert image_name(project, project.tests_image) == "docker_image_jobs"
    (asset,) = (one for one in build_project_assets(project) if one.key.path[-1] == "test_results")
    assert {key.path[-1] for key in asset.dependency_keys} == {"docker_image_jobs"}
    assert asset.descriptions_by_key[asset.key] == "make inside the image just built, without network."
