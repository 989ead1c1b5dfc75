"""A commit's test results: those of an earlier run with equal inputs where the project wants that, or new ones.

Deliberately absent: reuse for a commit that has a result of its own. Who runs it again wants to see the tests run.
"""

import hashlib
import json
from dataclasses import asdict, replace

from infraaudit_domain.dagster_names import image_name
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.test_plans import TESTS_IMAGE, TestCommand
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.errors import BuildFailedError, EngineError
from infraaudit_domain.projects import Project
from resources.engine import Engine
from resources.engine.command_runner import run_command
from resources.engine.limits import Limits
from resources.engine.test_runner import run_tests
from resources.history import History
from resources.history.queries.further_images import further_images
from resources.history.queries.test_results import always_passed


def run_or_reuse_tests(
    engine: Engine,
    history: History,
    project: Project,
    sha: str,
    image_id: str,
    limits: Limits,
) -> TestRun:
    """The result of a commit's tests; see :func:`run_tests` for what is raised.

    A result is used again where ``project.reuse_tests`` is set and the tests always passed with the same inputs.
    """
    digest = tests_digest(engine, project, image_id, limits)
    if project.reuse_tests and history.test_run(project.name, sha) is None:
        earlier = always_passed(history, project.name, digest)
        if earlier is not None:
            return replace(earlier[1], reused_from=earlier[0])
    if isinstance(project.tests, TestCommand):
        run = run_command(engine, image_id, project.tests, limits=limits)
    else:
        run = run_tests(engine, image_id, project.paths.tests, limits=limits)
    return replace(run, inputs_digest=digest)


def tests_source(project: Project) -> ImageSource | None:
    """What the image of the tests is built from where it is one of their own: a stage of another's Dockerfile."""
    target = project.tests.target if isinstance(project.tests, TestCommand) else ""
    return replace(project.tests_image, name=TESTS_IMAGE, target=target, used_in=()) if target else None


def built_image(history: History, project: Project, sha: str) -> Image:
    """The image that the tests run in, or a stage of. Raises EngineError where the commit has none yet."""
    source = project.tests_image
    if source == project.first_image:
        image = history.image(project.name, sha)
    else:
        image = further_images(history, project.name, sha).get(source.name)
    if image is None:
        raise EngineError(f"{sha[:12]} has no image yet; materialize {image_name(project, source)} first.")
    return image


def not_built(source: ImageSource, error: BuildFailedError) -> TestRun:
    """The result of tests whose own image could not be built."""
    return TestRun((), 0.0, reason=f"the stage {source.target} of {source.dockerfile} does not build: {error}")


def tests_digest(engine: Engine, project: Project, image_id: str, limits: Limits) -> str:
    """What a test run depends on, as a digest. The tests stand in the image."""
    inputs = {
        "image": image_id,
        "tests": asdict(project.tests) if isinstance(project.tests, TestCommand) else project.paths.tests,
        "limits": asdict(limits),
        "engine": [engine.name, engine.version],
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
