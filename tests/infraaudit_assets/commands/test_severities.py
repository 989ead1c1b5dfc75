"""How checks are rated, what another rating would do to the gate of what is live, and which checks have no rating."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit_assets.cli import app
from infraaudit_assets.commands.doctor import _ratings
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.scans.findings import Finding, FindingStatus, FrameworkScan, Scan, ScanStatus
from infraaudit_domain.scans.severity import ranges_of
from resources.history import open_history
from tests.conftest import Repository

SSH = Finding("terraform", "CKV_AWS_24", "No SSH from the world", "a.tf", "sg.ssh", 1, 2, 0, FindingStatus.OPEN)


@pytest.fixture
def configs(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of an installation in which a commit with an open SSH port is live, and the gate allows no critical finding."""
    sha = repository.write({"a.tf": ""}, "a commit")
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "gate.yaml").write_text("open: {critical: 0}\nnew: {}\n")
    (folder / "projects.yaml").write_text(f"projects: [{{name: shop, url: {repository.path}}}]")
    for name, place in {"PROJECTS": folder / "projects.yaml", "CONFIGS": folder, "HOME": tmp_path}.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(place))
    monkeypatch.delenv("INFRAAUDIT_DATABASE_URL", raising=False)
    settings.cache_clear()
    past, project, now = open_history(settings().history_url), find_project("shop"), datetime.now(UTC)
    mirror_of(project).fetch()
    past.record_project(project)
    past.record_commit("shop", mirror_of(project).commit(sha))
    part = FrameworkScan("terraform", "k", ScanStatus.COMPLETE, (SSH,))
    past.record_scan("shop", Scan(sha, (part,), "3", "c", now, 1.0))
    past.record_deployment(Deployment("shop", "production", sha, "container", Outcome.DEPLOYED, now, now))
    follow_deploy_branch(past, mirror_of(project), project)
    yield folder
    settings.cache_clear()


def test_another_rating_is_tried_and_nothing_is_changed_by_it(configs: Path) -> None:
    attempt = configs.parent / "new.yaml"
    attempt.write_text("checks: {CKV_AWS_24: {severity: critical}, CKV_AWS_18: {severity: high}}")
    tried = CliRunner().invoke(app, ["severities", "--try", str(attempt), "--json"])
    (row,) = json.loads(tried.stdout)
    assert tried.exit_code == 1 and (row["gate"], row["gate_then"]) == ("open", "closed")
    assert (
        row["changes"] == ["CKV_AWS_24: info to critical, 1 open"]
        and "1 open critical findings" in row["reasons_then"][0]
    )
    attempt.write_text("checks: {}")
    tried = CliRunner().invoke(app, ["severities", "--try", str(attempt), "--json"])
    (row,) = json.loads(tried.stdout)
    assert tried.exit_code == 0 and (row["gate"], row["gate_then"], row["changes"]) == ("open", "open", [])


def test_each_check_has_its_rating_and_who_gave_it(configs: Path) -> None:
    (configs / "checks.yaml").write_text("checks: {CKV_AWS_24: {severity: critical}}")
    listed = CliRunner().invoke(app, ["severities", "--check", "CKV_AWS_24", "--json"])
    rows = {row["check_id"]: row for row in json.loads(listed.stdout)}
    assert (rows["CKV_AWS_24"]["severity"], rows["CKV_AWS_24"]["source"]) == ("critical", "site")
    assert (rows["CKV_AWS_240"]["severity"], rows["CKV_AWS_240"]["source"]) != ("critical", "site")
    assert all(row["check_id"].startswith("CKV_AWS_24") and row["link"] for row in rows.values())


def test_the_doctor_lists_the_checks_that_nobody_rated(configs: Path) -> None:
    part = _ratings(settings())
    assert not part.found and "175 of 1360 checks have none: " in part.detail and "CKV_GHA_1-7" in part.detail
    (configs / "checks.yaml").write_text("checks: {CKV_GHA_2: {severity: high}}")
    assert "174 of 1360" in _ratings(settings()).detail and "CKV_GHA_1, CKV_GHA_3-7" in _ratings(settings()).detail
    (configs / "checks.yaml").write_text("checks: {CKV_GHA_2: {severity: awful}}")
    assert "checks.CKV_GHA_2.severity" in _ratings(settings()).detail


def test_ids_are_named_in_few_words() -> None:
    assert ranges_of(["A_1", "A_2", "A_4", "B_01", "odd", "A_10", "A_9"]) == "A_1-2, A_4, A_9-10, B_01, odd"
    assert ranges_of([]) == ""
