"""What is said of a request's head, and that nothing which was not run or compared passes."""

from itertools import product

import pytest

from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.forge.request_verdicts import (
    RequestResult,
    RequestVerdict,
    have_ended,
    result_of,
    status_of,
    status_of_all,
)
from infraaudit_domain.forge.statuses import LONGEST_WORDS
from infraaudit_domain.judging.verdicts import Verdict

OK, BAD, SKIPPED, RETRIED = StageOutcome.SUCCEEDED, StageOutcome.FAILED, StageOutcome.SKIPPED, StageOutcome.RETRIED
ALL = {"commit": OK, "docker_image": OK, "test_results": OK, "scan_report": OK}
PASSED = TestRun((TestCase("a", CaseOutcome.PASSED, 0.1),), 1.0)
FAILED = TestRun((TestCase("a", CaseOutcome.FAILED, 0.1),), 1.0)
BASE = "b" * 40
IMAGES, TWO = ("docker_image",), ("docker_image", "docker_image_worker")


@pytest.mark.parametrize(
    ("changed", "images", "ended"),
    [
        ({}, IMAGES, True),
        ({"test_results": None}, IMAGES, False),
        ({"test_results": None}, (), True),
        ({"test_results": RETRIED}, IMAGES, False),
        ({"scan_report": RETRIED}, (), False),
        ({"scan_report": None}, (), False),
        ({"docker_image": BAD, "test_results": None}, IMAGES, True),
        ({"docker_image": SKIPPED, "test_results": None}, IMAGES, True),
        ({"docker_image": BAD, "scan_report": None}, IMAGES, False),
        ({}, TWO, False),
        ({"docker_image_worker": RETRIED}, TWO, False),
        ({"docker_image_worker": OK}, TWO, True),
        ({"commit": BAD, "scan_report": None, "docker_image": None, "test_results": None}, IMAGES, True),
    ],
)
def test_when_all_that_is_to_come_has_come(
    changed: dict[str, StageOutcome | None], images: tuple[str, ...], ended: bool
) -> None:
    stages = {name: outcome for name, outcome in (ALL | changed).items() if outcome}
    assert have_ended(stages, images) is ended


@pytest.mark.parametrize(
    ("stages", "tests", "gate", "base", "result"),
    [
        (ALL, PASSED, Verdict(), BASE, RequestResult.PASSES),
        (ALL, PASSED, Verdict(("too many",)), BASE, RequestResult.FAILS),
        (ALL, FAILED, Verdict(), BASE, RequestResult.FAILS),
        (ALL, FAILED, None, "", RequestResult.FAILS),
        (ALL | {"docker_image": BAD}, None, Verdict(), BASE, RequestResult.FAILS),
        (ALL | {"docker_image": SKIPPED}, None, Verdict(), BASE, RequestResult.UNKNOWN),
        (ALL | {"docker_image": SKIPPED}, None, Verdict(("too many",)), BASE, RequestResult.FAILS),
        (ALL, PASSED, None, BASE, RequestResult.UNKNOWN),
        (ALL | {"scan_report": BAD}, PASSED, Verdict(), BASE, RequestResult.UNKNOWN),
        (ALL, PASSED, Verdict(), "", RequestResult.UNKNOWN),
        (ALL | {"test_results": BAD}, PASSED, Verdict(), BASE, RequestResult.UNKNOWN),
        (ALL | {"test_results": SKIPPED}, PASSED, Verdict(), BASE, RequestResult.UNKNOWN),
    ],
)
def test_what_is_not_known_never_passes(
    stages: dict[str, StageOutcome], tests: TestRun | None, gate: Verdict | None, base: str, result: RequestResult
) -> None:
    found, reason = result_of(stages, IMAGES, tests, gate, base)
    assert found is result and bool(reason) is (result is not RequestResult.PASSES)


def test_without_any_one_of_its_grounds_no_head_passes() -> None:
    for has_tests, has_gate, has_base, has_scan in product((True, False), repeat=4):
        stages = ALL if has_scan else {}
        given = (PASSED if has_tests else None, Verdict() if has_gate else None, BASE if has_base else "")
        passes = result_of(stages, IMAGES, *given)[0] is RequestResult.PASSES
        assert passes is (has_tests and has_gate and has_base and has_scan)


def test_a_fork_passes_by_its_scan_and_it_is_said_that_nothing_was_run() -> None:
    found, reason = result_of({"scan_report": OK}, (), None, Verdict(), BASE)
    assert found is RequestResult.PASSES and "nothing of it was built" in reason


@pytest.mark.parametrize(
    ("results", "state"),
    [
        (["passes"], "success"), (["passes", "fails"], "failure"), (["passes", "unknown"], "error"),
        (["unknown", "fails"], "failure"), (["passes", None], "pending"), ([None, "fails"], "failure"),
        (["passes", "passes"], "success"), ([None], "pending"), ([], "pending"),
    ],
)  # fmt: skip
def test_the_worst_of_a_heads_requests_is_shown(results: list[str | None], state: str) -> None:
    found = [(one and RequestVerdict(BASE, RequestResult(one), "why")) or None for one in results]
    for order in (found, found[::-1]):
        assert status_of_all("shop", order).state.value == state


def test_a_status_is_one_line_without_what_a_tool_printed() -> None:
    reason = "its tests gave no result: \x1b[31mthe engine printed this\n" + "x" * 500
    said = status_of("shop", RequestVerdict(BASE, RequestResult.UNKNOWN, reason, 12, 3))
    assert said.words == "Not known; 12 new, 3 fixed; its tests gave no result"
    assert said.context == "infraaudit/shop/request" and said.state.value == "error"
    long = status_of("shop", RequestVerdict("", RequestResult.FAILS, "y" * 500))
    assert len(long.words) == LONGEST_WORDS


@pytest.mark.parametrize(
    ("worker", "result", "reason"),
    [
        (OK, RequestResult.PASSES, ""),
        (BAD, RequestResult.FAILS, "docker_image_worker could not be built"),
        (SKIPPED, RequestResult.UNKNOWN, "docker_image_worker was not built"),
        (None, RequestResult.UNKNOWN, "docker_image_worker was not built"),
    ],
)
def test_each_image_of_a_head_counts(worker: StageOutcome | None, result: RequestResult, reason: str) -> None:
    stages = ALL | ({"docker_image_worker": worker} if worker else {})
    assert result_of(stages, TWO, PASSED, Verdict(), BASE) == (result, reason)
