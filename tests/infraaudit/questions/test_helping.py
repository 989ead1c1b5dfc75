"""What helps with one finding, by every face: its remedy, its code at its commit, its owner, and what to paste."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit_assets.cli import app
from infraaudit_assets.commands.ask import rules_of
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.scans.findings import Finding, FindingStatus, FrameworkScan, Scan, ScanStatus, UnreadableFile
from resources.configuration.suppressions import read_suppressions
from resources.history import History, open_history
from resources.history.retention import prune
from service.app import ServiceOptions, build_app
from tests import ROOT
from tests.conftest import Repository

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
FILES = {
    "network.tf": f'# our network\nresource "aws_security_group" "ssh" {{\n  key  = "{SECRET}"\n  cidr = "0.0.0.0/0"\n}}\n',
    "CODEOWNERS": "*.tf @acme/network\n",
}
SSH = Finding("terraform", "CKV_AWS_24", "No SSH from the world", "network.tf", "aws_security_group.ssh", 2, 5, 0,
              FindingStatus.OPEN)  # fmt: skip
KEY = Finding("secrets", "CKV_SECRET_6", "A secret", "network.tf", "hmac", 3, 3, 0, FindingStatus.OPEN)


@pytest.fixture
def history(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """Of two commits: the first has both findings, the second fixed them by deleting the file."""
    first = repository.write(FILES, "a network")
    second = repository.write({"network.tf": None}, "no network")
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "gate.yaml").write_bytes((ROOT / "configs/gate.yaml").read_bytes())
    (configs / "checks.yaml").write_text("checks: {CKV_AWS_24: {severity: critical, remedy: Use the bastion.}}")
    (configs / "projects.yaml").write_text(f"projects: [{{name: shop, url: {repository.path}}}]")
    places = {"PROJECTS": configs / "projects.yaml", "CONFIGS": configs, "HOME": tmp_path}
    for name, place in places.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(place))
    monkeypatch.delenv("INFRAAUDIT_DATABASE_URL", raising=False)
    settings.cache_clear()
    past, project, now = open_history(settings().history_url), find_project("shop"), datetime.now(UTC)
    mirror_of(project).fetch()
    past.record_project(project)
    for sha, found in ((first, {"terraform": (SSH,), "secrets": (KEY,)}), (second, {"terraform": (), "secrets": ()})):
        past.record_commit("shop", mirror_of(project).commit(sha))
        parts = [FrameworkScan(name, f"{name} {sha}", ScanStatus.COMPLETE, some) for name, some in found.items()]
        past.record_scan("shop", Scan(sha, tuple(parts), "3", "c", now, 1.0))
    follow_deploy_branch(past, mirror_of(project), project)
    yield past
    settings.cache_clear()


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--project", "shop"])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.mark.usefixtures("history")
def test_the_program_shows_all_that_helps_with_a_finding() -> None:
    shown = printed("explain", SSH.fingerprint[:10])
    assert shown.startswith("critical: CKV_AWS_24 No SSH from the world\nnetwork.tf:2-5")
    assert '2  resource "aws_security_group" "ssh" {\n3    key  = ***\n4    cidr = "0.0.0.0/0"\n5  }\n' in shown
    assert "remedy: Use the bastion." in shown and "/SecurityGroupUnrestrictedIngress22.py" in shown
    assert "owner: @acme/network" in shown and "#checkov:skip=CKV_AWS_24:WHY" in shown
    assert f"its life: infraaudit life {SSH.fingerprint[:12]} --project shop" in shown
    assert SECRET not in shown + printed("explain", KEY.fingerprint)
    (row,) = json.loads(printed("explain", SSH.fingerprint, "--json"))
    assert "0.0.0.0/0" in row["code"] and row["guideline"].startswith("https://")


def gone_from(history: History, sha: str) -> None:
    prune(history, "shop", [sha])


def failed_at(history: History, sha: str) -> None:
    store_secrets(history, sha, FrameworkScan("secrets", f"failed {sha}", ScanStatus.FAILED, (), reason="it crashed"))


def unread_at(history: History, sha: str) -> None:
    gap = (UnreadableFile("network.tf", "no UTF-8"),)
    store_secrets(history, sha, FrameworkScan("secrets", f"gap {sha}", ScanStatus.PARTIAL, (), gap))


def absent_from(history: History, sha: str) -> None:
    store_secrets(history, sha)


def store_secrets(history: History, sha: str, *parts: FrameworkScan) -> None:
    code = FrameworkScan("terraform", f"terraform {sha}", ScanStatus.COMPLETE, (SSH,))
    history.record_scan("shop", Scan(sha, (code, *parts), "3", "c", datetime.now(UTC), 1.0))


@pytest.mark.parametrize("become_unknown", [gone_from, failed_at, unread_at, absent_from])
def test_without_what_is_known_of_its_secrets_no_code_is_shown(
    history: History, repository: Repository, become_unknown: Callable[[History, str], None]
) -> None:
    become_unknown(history, repository.git("rev-parse", "HEAD~1"))
    shown = printed("explain", SSH.fingerprint)
    assert SECRET not in shown and "(no code: " in shown and "its secrets are not known" in shown
    client = TestClient(build_app(history, ServiceOptions(["shop"], rules=lambda name: rules_of(find_project(name)))))
    page = client.get(f"/projects/shop/findings/{SSH.fingerprint}").text
    assert SECRET not in page and "its secrets are not known" in page


@pytest.mark.usefixtures("history")
def test_what_is_to_be_pasted_is_read_by_the_gate(tmp_path: Path) -> None:
    (row,) = json.loads(printed("explain", SSH.fingerprint, "--json"))
    assert row["accept_file"] == "configs/suppressions/shop.yaml"
    file = tmp_path / row["accept_file"]
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"suppressions:\n{row['accept_in_file']}\n")
    (accepted,) = read_suppressions(tmp_path / "configs", "shop")
    assert accepted.matches(SSH) and not accepted.matches(KEY) and accepted.counts_on(date.today())


def test_the_service_shows_the_same_and_masks_the_same(history: History) -> None:
    client = TestClient(build_app(history, ServiceOptions(["shop"], rules=lambda name: rules_of(find_project(name)))))
    (same,) = json.loads(printed("explain", SSH.fingerprint, "--json"))
    (row,) = client.get(f"/api/v1/projects/shop/findings/{SSH.fingerprint}/help").json()["items"]
    assert row == same
    page = client.get(f"/projects/shop/findings/{SSH.fingerprint}").text
    assert "Use the bastion." in page and "/SecurityGroupUnrestrictedIngress22.py" in page and "@acme/network" in page
    assert "cidr = &#34;0.0.0.0/0&#34;" in page and SECRET not in page
    assert client.get(f"/api/v1/projects/shop/findings/{'0' * 32}/help").status_code == 404


@pytest.mark.usefixtures("history")
def test_exports_and_lists_name_the_remedy(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD~1")
    log = printed("export", "--commit", first)
    (run,) = json.loads(log)["runs"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert rules["CKV_AWS_24"]["helpUri"].endswith("/SecurityGroupUnrestrictedIngress22.py")
    assert "Use the bastion." in rules["CKV_AWS_24"]["help"]["text"]
    regions = [each["locations"][0]["physicalLocation"]["region"] for each in run["results"]]
    assert '  cidr = "0.0.0.0/0"' in regions[0]["snippet"]["text"] and SECRET not in log
    rows = json.loads(printed("findings", "--commit", first, "--json"))
    assert all(row["guideline"].startswith("https://") for row in rows) and len(rows) == 2


@pytest.mark.usefixtures("history")
def test_a_list_says_first_how_many_there_are_and_the_worst_come_first(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD~1")
    shown = printed("findings", "--commit", first, "--limit", "1").splitlines()
    assert shown[0] == "2 findings: 1 critical, 1 low"
    assert (
        "CKV_AWS_24" in "".join(shown) and "CKV_SECRET_6" not in "".join(shown) and "the first of 2" in "".join(shown)
    )
    assert not set("─│┃━┏┓┡╇└┘") & set("".join(shown))
    assert len(json.loads(printed("findings", "--commit", first, "--path", "*.tf", "--json"))) == 2
    assert json.loads(printed("findings", "--commit", first, "--path", "modules/*", "--json")) == []


@pytest.mark.usefixtures("history")
def test_the_width_of_a_pipe_is_what_columns_says(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    first = repository.git("rev-parse", "HEAD~1")
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, printed("findings", "--commit", first).splitlines())) <= 60
    monkeypatch.delenv("COLUMNS")
    assert max(map(len, printed("findings", "--commit", first).splitlines())) > 100
