"""A history of five commits on SQLite or PostgreSQL, another beside it, and all that one holds."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, Severity
from resources.history import History, schema
from resources.history.outbox import write_notices
from tests.resources.databases import DATABASES, fresh_history

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHAS = [f"{number:040x}" for number in range(5)]


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    folder = tmp_path / "other"
    folder.mkdir()
    yield from fresh_history("postgresql", folder, needs, request)


def scan_of(sha: str, key: str) -> Scan:
    finding = Finding("terraform", "CKV_AWS_18", "logging", "main.tf", key, 1, 4, severity=Severity.LOW)
    part = FrameworkScan("terraform", key, ScanStatus.COMPLETE, (finding,), (), 1.5, "", reused=False)
    return Scan(sha, (part,), "3.3.30", "c1", NOW, 2.5, ("é\N{SNOWMAN}",))


def deployment(sha: str, moment: datetime, replaced: str | None = None) -> Deployment:
    return Deployment(
        "p", "production", sha, "kubernetes:x", Outcome.DEPLOYED, moment, moment, "i", "m", replaced_sha=replaced
    )


def fill(history: History) -> None:
    """Five commits; the first two share a scan, the third is what a rollback returns to, the fourth is live."""
    history.record_project(Project("p", "url"))
    for number, sha in enumerate(SHAS):
        parents = (SHAS[number - 1],) if number else ()
        moment = NOW + timedelta(days=number)
        history.record_commit("p", Commit(sha, "t", parents, "Ada", "a@x", moment, moment, "subject"))
        history.record_scan("p", scan_of(sha, f"k{max(number, 1)}"))
        history.record_test_run("p", sha, TestRun((TestCase("t::a", CaseOutcome.PASSED, 0.1),), 1.0, "output", ""))
        history.record_stage("p", sha, "scan_report", StageOutcome.SUCCEEDED, moment, moment, "run", "")
    history.record_deployment(deployment(SHAS[2], NOW))
    history.record_deployment(deployment(SHAS[3], NOW + timedelta(hours=1), SHAS[2]))
    write_notices(history, [Notice("key", "p", "title", "body", "failure")])


def content(history: History) -> dict[str, list[dict[str, Any]]]:
    with history.reading() as connection:
        rows = {t.name: connection.execute(sa.select(t)).mappings().all() for t in schema.metadata.sorted_tables}
    return {name: sorted((dict(row) for row in found), key=repr) for name, found in rows.items()}
