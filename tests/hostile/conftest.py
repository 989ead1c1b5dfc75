"""A table by area after the hostile cases: one file is one area, and each of its tests is one case."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.history import History
from tests.resources.engines import engine

__all__ = ["engine"]
_COUNTED = {"passed": "held", "failed": "BROKEN", "error": "BROKEN", "skipped": "skipped"}


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    past = History(f"sqlite:///{tmp_path / 'history.db'}")
    past.migrate()
    yield past
    past.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    areas: dict[str, Counter[str]] = {}
    for outcome, word in _COUNTED.items():
        for report in terminalreporter.stats.get(outcome, []):
            file = report.nodeid.partition("::")[0]
            if file.startswith("tests/hostile/"):
                area = file.removeprefix("tests/hostile/test_").removesuffix(".py")
                areas.setdefault(area, Counter())[word] += 1
    if not areas:
        return
    terminalreporter.section("hostile cases")
    terminalreporter.write_line(f"{'area':14}{'held':>8}{'BROKEN':>8}{'skipped':>9}")
    for area, counted in [*sorted(areas.items()), ("all", sum(areas.values(), Counter[str]()))]:
        terminalreporter.write_line(f"{area:14}{counted['held']:8}{counted['BROKEN']:8}{counted['skipped']:9}")
