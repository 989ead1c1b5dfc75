"""Which approvals count."""

from datetime import UTC, datetime

import pytest

from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.approvals import Approval, ApprovalRule, Leave, standing

NOW = datetime(2026, 5, 1, tzinfo=UTC)
COMMIT = Commit("c" * 40, "t", (), "Ada Lovelace", "ada@example.org", NOW, NOW, "a change")


def by(*names: str, leave: Leave = Leave.DEPLOY, sha: str = COMMIT.sha) -> list[Approval]:
    return [Approval("shop", "production", sha, leave, name, "fine", NOW) for name in names]


@pytest.mark.parametrize(
    ("rule", "given", "counted"),
    [
        (ApprovalRule(2), by("bob", "eve"), ("bob", "eve")),
        (ApprovalRule(2), by("bob", "Bob", " bob "), ("bob",)),
        (ApprovalRule(2), by("ada", "ADA LOVELACE", "Ada  Lovelace", "ada@example.org"), ()),
        (ApprovalRule(2, own=True), by("ada", "bob"), ("ada", "bob")),
        (ApprovalRule(1, ("Eve", "ada")), by("bob", "eve", "ada"), ("eve",)),
        (ApprovalRule(1), by("bob", leave=Leave.DESPITE_FREEZE), ()),
        (ApprovalRule(1), by("bob", sha="d" * 40), ()),
    ],
)
def test_who_counts(rule: ApprovalRule, given: list[Approval], counted: tuple[str, ...]) -> None:
    have = standing(rule, given, COMMIT)
    assert have.by == counted and have.is_enough is (len(counted) >= rule.number)


def test_what_is_missing_is_said() -> None:
    assert str(standing(ApprovalRule(2), by("bob"), COMMIT)) == "1 of 2 approvals, by bob"
    assert "none of the approvers: eve" in ApprovalRule(1, ("eve",)).refuses("bob", COMMIT)
    assert "its author" in ApprovalRule(1).refuses("ada", COMMIT)
