"""Tests that passed in an image are not run again in it, where the project says so: on the real engine."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit.tested import run_or_reuse_tests
from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.projects import Paths, Project
from resources.engine import Engine
from resources.engine.limits import Limits
from resources.history import History
from tests.resources.databases import fresh_history
from tests.resources.engines import build, engine

__all__ = ["engine"]

SHOP = Project("shop", "shop.git", paths=Paths(tests="tests"), reuse_tests=True)
LIMITS = Limits(seconds=60, memory_megabytes=256)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
FIRST, SECOND = "a" * 40, "b" * 40


@pytest.fixture
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    for history in fresh_history("sqlite", tmp_path, lambda part: None, request):
        for sha in (FIRST, SECOND):
            history.record_commit("shop", Commit(sha, "t", (), "Ada", "a@x", NOW, NOW, "subject"))
        yield history


@pytest.mark.e2e
def test_a_passed_result_is_used_again_for_the_same_image_and_limits_alone(
    engine: Engine, history: History, tmp_path: Path
) -> None:
    files = {
        "Dockerfile": "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nWORKDIR /app\nCOPY tests tests\n",
        "tests/test_it.py": "def test_it(): ...\n",
    }
    image_id = build(engine, tmp_path / "image", files).image_id

    def tested(sha: str, project: Project = SHOP, limits: Limits = LIMITS) -> TestRun:
        run = run_or_reuse_tests(engine, history, project, sha, image_id, limits)
        history.record_test_run("shop", sha, run)
        return run

    assert tested(FIRST).reused_from is None
    assert tested(FIRST).reused_from is None, "who runs a commit again wants to see its tests run"
    second = tested(SECOND)
    assert (second.reused_from, second.cases) == (FIRST, history.test_run("shop", FIRST).cases)  # type: ignore[union-attr]
    third = "c" * 40
    assert run_or_reuse_tests(engine, history, SHOP, third, image_id, LIMITS).reused_from == FIRST
    for project, limits in ((replace(SHOP, reuse_tests=False), LIMITS), (SHOP, replace(LIMITS, processes=100))):
        assert run_or_reuse_tests(engine, history, project, third, image_id, limits).reused_from is None
