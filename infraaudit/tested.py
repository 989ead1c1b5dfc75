"""A commit's test results: those of an earlier run with equal inputs where the project wants that, or new ones.

Deliberately absent: reuse for a commit that has a result of its own. Who runs it again wants to see the tests run.
"""

import hashlib
import json
from dataclasses import asdict, replace

from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.projects import Project
from resources.engine import Engine
from resources.engine.limits import Limits
from resources.engine.test_runner import run_tests
from resources.history import History
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
    run = run_tests(engine, image_id, project.paths.tests, limits=limits)
    return replace(run, inputs_digest=digest)


def tests_digest(engine: Engine, project: Project, image_id: str, limits: Limits) -> str:
    """What a test run depends on, as a digest. The tests stand in the image."""
    inputs = {
        "image": image_id,
        "tests": project.paths.tests,
        "limits": asdict(limits),
        "engine": [engine.name, engine.version],
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
