"""A change of scanner/severities.csv re-rates the whole past, for everything that asks (A12)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infraaudit.scans.lifecycles import Line
from infraaudit_domain.scans.findings import Severity
from resources.configuration.severities import read_severities
from resources.history import History
from resources.history.queries.commit_findings import newest_scanned
from resources.history.queries.finding_pages import FindingFilter, finding_page
from resources.history.queries.open_counts import open_by_severity
from resources.history.queries.sla import sla
from resources.history.queries.trends import trend_rows
from resources.history.scan_results import rate
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding
from tests.infraaudit.test_gate import NOW, Release
from tests.resources.databases import DATABASES, fresh_history


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.mark.parametrize("is_followed", [True, False])
def test_everything_that_asks_sees_the_new_rating(
    history: History, repository: Repository, tmp_path: Path, is_followed: bool
) -> None:
    release, file = Release(history, repository, tmp_path / "configs"), tmp_path / "severities.csv"
    line = Line(history, repository.mirror(), "p", "main")
    release.deploy(release.commit())
    sha = release.commit(finding("x"))
    if is_followed:
        line.follow()
    for word in ("low", "high", "medium"):
        file.write_text(f"check_id,severity\nCKV_1,{word}\n")
        assert rate(history, read_severities(file)) and not rate(history, read_severities(file))
        assert _seen(history, line.follow(), sha) == {Severity(word)}
        assert release.judge(sha).passed is (word != "high")
    # Stored under whatever rating a process still holds, it counts as the file says; what the file lacks is unknown.
    again = release.commit(finding("x"), finding("y"))
    assert _seen(history, line.follow(), again) == {Severity.MEDIUM}
    file.write_text("check_id,severity\nCKV_2,high\n")
    rate(history, read_severities(file))
    assert _seen(history, line.follow(), again) == {Severity.UNKNOWN}


def _seen(history: History, line: Line, sha: str) -> set[Severity]:
    scan, newest = history.scan("p", sha), newest_scanned(line)
    assert scan is not None and newest is not None
    page = finding_page(line, sha, FindingFilter(), NOW, 10, 0)[1]
    ages = {str(row["severity"]): row["open"] for row in sla(line, {}, NOW).to_dict("records")}
    trend = trend_rows(line, by="severity")
    found = {finding.severity.value for finding in scan.findings}
    found |= {row["severity"] for row in page} | {str(name) for name, number in ages.items() if number}
    found |= {row["group"] for row in trend if row["group"]} | {name.value for name in newest.open}
    return {Severity(name) for name in found | set(open_by_severity(line, [sha])[sha])}
