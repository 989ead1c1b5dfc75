"""Who gets a notice: lists, routes by owner, urgency, and what is collected."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infraaudit_domain.reporting.digest import digest_of
from infraaudit_domain.reporting.notices import EVERY_PROJECT, Notice
from infraaudit_domain.reporting.recipients import Address, Recipients, recipients_of, routed

TEAM, ADA, ALL = Address("slack://team"), Address("mailto://ada"), Address("slack://all")
RECIPIENTS = Recipients((ALL,), {"@Org/Team": (TEAM,), "ada@example.org": (ADA, TEAM), "@calm": (replace(TEAM, urgency="critical"),)})  # fmt: skip
FAILURE = Notice("key", "shop", "title", "body", "failure")


def of(*owners: str, urgency: str = "failure") -> tuple[Address, ...]:
    return RECIPIENTS.of(replace(FAILURE, owners=owners, urgency=urgency))


def test_the_routes_of_the_owners_get_it_each_address_once_and_else_the_lists() -> None:
    assert of("@org/team") == (TEAM,)
    assert of("Ada@Example.org", "@org/team") == (ADA, TEAM)
    assert of() == of("@nobody") == (ALL,)


def test_a_route_that_declines_leaves_it_to_the_lists() -> None:
    assert of("@calm") == (ALL,)


def test_what_is_critical_goes_to_the_lists_too() -> None:
    assert of("@org/team", urgency="critical") == (TEAM, ALL)


def test_an_owner_only_chooses_among_the_routes() -> None:
    hostile = ["https://evil.example", "json://evil.example", "@org/team", *(f"@o{n}" for n in range(10_000))]
    assert routed(hostile, RECIPIENTS.routes) == ("@org/team",)
    assert of(*hostile[:2]) == (ALL,)


@pytest.mark.parametrize(
    ("lists", "urgency", "missed"),
    [
        ((), "info", True),
        ((), "failure", True),
        ((ALL,), "failure", False),
        ((Address("x://", "critical"),), "failure", True),
        ((Address("x://", "critical"),), "info", False),
    ],
)
def test_a_failure_that_every_address_declines_is_missed(
    lists: tuple[Address, ...], urgency: str, missed: bool
) -> None:
    assert Recipients(lists).misses(replace(FAILURE, urgency=urgency)) is missed


def test_who_hears_of_a_failing_test_does_not_rest_on_its_owners() -> None:
    assert (RECIPIENTS.hear_failures, Recipients((), RECIPIENTS.routes).hear_failures) == (1, 0)


def test_a_project_has_its_own_and_everyones_and_a_notice_of_several_goes_to_all() -> None:
    own = {"shop": RECIPIENTS, "bank": Recipients((ADA,))}
    assert recipients_of("shop", [TEAM], own).lists == (TEAM, ALL)
    assert recipients_of("gone", [TEAM], own) == Recipients((TEAM,))
    assert recipients_of(EVERY_PROJECT, [TEAM], own).lists == (TEAM, ALL, ADA)


NOON = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "at_once", "urgency", "until"),
    [
        (1, "critical", "failure", NOON.replace(hour=13, minute=0)),
        (24, "critical", "info", NOON.replace(day=2, hour=0, minute=0)),
        (24, "failure", "failure", None),
        (24, "critical", "critical", None),
        (0, "critical", "info", None),
    ],
)
def test_an_address_collects_until_its_hour_or_day_is_over(
    hours: int, at_once: str, urgency: str, until: datetime | None
) -> None:
    address = Address("x://", "info", timedelta(hours=hours) if hours else None, at_once)
    assert address.collects_until(replace(FAILURE, urgency=urgency), NOON) == until


def test_a_digest_lists_titles_with_their_links_the_most_urgent_first_and_is_bounded() -> None:
    notices = [Notice(f"n{n}", "shop", f"title {n}", f"subject\nhttp://link/{n}") for n in range(60)]
    notices.append(Notice("bad", "bank", "it burns", "http://link/bad", "critical"))
    digest = digest_of("address", notices)
    assert (digest.title, digest.urgency, digest.project) == ("61 notices of bank, shop", "critical", EVERY_PROJECT)
    assert digest.body.splitlines()[:4] == ["it burns", "  http://link/bad", "title 0", "  http://link/0"]
    assert digest.body.endswith("and 11 more")
    assert digest.key == digest_of("address", notices[::-1]).key != digest_of("another", notices).key
