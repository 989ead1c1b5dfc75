"""What a live commit hid itself is not taken for safe: not on the line, not beside it, not as a way back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.replay.exposed import exposed, exposed_commits
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.scans.evidence import RULES
from infraaudit_domain.scans.findings import Finding
from resources.checkov.versions import scanner_version
from resources.history import History
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding, scan
from tests.resources.databases import fresh_history

NOW = datetime(2024, 1, 1, tzinfo=UTC)
HIDDEN, OPEN = finding("bucket", status="suppressed"), finding("bucket")


class Shop:
    """A branch of commits, and one beside it, whose findings and deployments a test states."""

    def __init__(self, history: History, repository: Repository) -> None:
        self.history = history
        self.shas = [repository.write({"main.tf": str(number)}, "a commit") for number in range(4)]
        self.mirror = repository.mirror()

    def live(self, hour: int, sha: str, *found: Finding, rules: int = RULES, version: str = "") -> None:
        at = NOW + timedelta(hours=hour)
        result = scan(sha, list(found), version=version or scanner_version())
        self.history.record_scan("p", replace(result, rules=rules))
        self.history.record_deployment(Deployment("p", "prod", sha, "t", Outcome.DEPLOYED, at, at))

    def asked(self) -> Asked:
        line = Line(self.history, self.mirror, "p", "main").follow()
        return Asked(line, ProjectRules(mirror=self.mirror), NOW + timedelta(hours=10), {"check": OPEN.check_id})


@pytest.fixture
def shop(
    repository: Repository, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[Shop]:
    for history in fresh_history("sqlite", tmp_path, needs, request):
        made = Shop(history, repository)
        for sha in made.shas:
            history.record_commit("p", made.mirror.commit(sha))
        yield made


def test_hidden_findings_of_commits_are_neither_no_nor_safe(shop: Shop) -> None:
    beside = "f" * 40
    shop.live(0, shop.shas[0])
    shop.live(1, shop.shas[1], HIDDEN)
    shop.live(3, shop.shas[2], OPEN)
    shop.live(6, beside, HIDDEN)
    shop.live(7, shop.shas[3])
    rows = list(exposed_commits(shop.asked())[0])
    said = {row["sha"]: (row["exposed"], row["findings"], row["hidden"], row["rollback"]) for row in rows}
    assert said == {
        shop.shas[3]: ("no", 0, 0, "live"),
        beside: ("hidden in code", 0, 1, "unsafe"),
        shop.shas[2]: ("yes", 1, 0, "unsafe"),
        shop.shas[1]: ("hidden in code", 0, 1, "unsafe"),
        shop.shas[0]: ("no", 0, 0, "safe"),
    }
    found = [(row["state"], row["resource"], row["hours_exposed"]) for row in exposed(shop.asked())[0]]
    assert found == [("exposed", "bucket", 3.0), ("hidden in code", "bucket", 3.0)]


def test_a_finding_that_was_only_ever_hidden_is_listed(shop: Shop) -> None:
    shop.live(0, shop.shas[0], HIDDEN)
    (row,) = exposed(shop.asked())[0]
    assert (row["state"], row["live_now"], row["file_path"]) == ("hidden in code", True, "main.tf")


def test_a_scan_of_another_scanner_or_by_other_rules_says_which_of_them_it_was(shop: Shop) -> None:
    shop.live(0, shop.shas[0], OPEN)
    shop.live(1, shop.shas[1], rules=RULES - 1)
    shop.live(2, shop.shas[2], version="3.0")
    shop.live(3, shop.shas[3], rules=RULES - 1, version="3.0")
    newest_first = [row["reason"] for row in exposed_commits(shop.asked())[0]]
    by_rules = f"its scan was read by version {RULES - 1} of InfraAudit's rules, and not by version {RULES}"
    by_scanner = f"it was scanned by 3.0, and not by {scanner_version()}"
    assert newest_first == [by_scanner, by_scanner, by_rules, None]
