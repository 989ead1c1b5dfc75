"""Which approvals count."""

from datetime import UTC, datetime

import pytest

from infraaudit_domain.delivery.approvals import Approval, ApprovalRule, Leave, names_of, standing

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SHA = "c" * 40
AUTHORS = names_of("Ada Lovelace", "ada@example.org")


def by(*names: str, leave: Leave = Leave.DEPLOY, sha: str = SHA) -> list[Approval]:
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
    have = standing(rule, given, SHA, AUTHORS)
    assert have.by == counted and have.is_enough is (len(counted) >= rule.number)


def test_what_is_missing_is_said() -> None:
    assert str(standing(ApprovalRule(2), by("bob"), SHA, AUTHORS)) == "1 of 2 approvals, by bob"
    assert "none of the approvers: eve" in ApprovalRule(1, ("eve",)).refuses("bob", AUTHORS)
    assert "its authors" in ApprovalRule(1).refuses("ada", AUTHORS)


def test_a_person_of_a_commit_goes_by_what_the_forge_calls_them() -> None:
    assert names_of("Ada  Lovelace", "12+Ada@users.noreply.github.com") == {
        "ada lovelace", "12+ada@users.noreply.github.com", "12+ada", "12", "ada"
    }  # fmt: skip
    assert names_of("", "") == frozenset()
