"""The table of commits names what became of each as the audit page does."""

import pytest

from infraaudit.pages.audit.verdict import word_of
from infraaudit.questions.overview import CommitOverview
from infraaudit_assets.commands.summary import print_summary
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun

NONE_RAN = TestRun((), 1.0)
ONE_FAILED = TestRun((TestCase("a", CaseOutcome.FAILED, 0.1),), 1.0)


@pytest.mark.parametrize(("tests", "word"), [(NONE_RAN, "stopped"), (ONE_FAILED, "stopped"), (None, "skipped")])
def test_what_its_tests_stopped_is_stopped(
    tests: TestRun | None, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = {"test_results": "no test ran"}
    print_summary([CommitOverview("c" * 40, "a change", None, tests, None, None, None, reasons)])
    assert capsys.readouterr().out.split()[-1] == word
    passed = None if tests is None else tests.count(CaseOutcome.PASSED)
    on_page = word_of({"deployment": None, "stopped_by": "test_results", "passed": passed})
    assert (on_page == "stopped") is (word == "stopped")
