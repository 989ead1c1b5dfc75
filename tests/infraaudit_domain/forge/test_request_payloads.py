"""Pull and merge requests in the payloads of every forge; and what no forge would send."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.errors import MalformedPushError
from infraaudit_domain.forge.change_requests import ChangeRequest, RequestState
from infraaudit_domain.forge.request_payloads import change_request_of
from tests.infraaudit_domain.forge.request_events import CLOSED, HEAD, HEADERS, OPEN, event

FORGES = list(OPEN)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(forge: str, payload: Any) -> ChangeRequest:
    found = change_request_of(forge, HEADERS[forge], payload)
    assert found is not None
    return found


@pytest.mark.parametrize("forge", FORGES)
def test_a_request_is_read(forge: str) -> None:
    found = read(forge, event(forge))
    assert found == ChangeRequest(
        7, "A title", "ada", RequestState.OPEN, HEAD, "group/shop", "topic", "main", False,
        datetime(2026, 3, 1, 10, tzinfo=UTC),
    )  # fmt: skip
    assert read(forge, event(forge, CLOSED[forge])).state is RequestState.CLOSED


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("source", ["stranger/shop", "group/shop2", None])
def test_what_is_from_elsewhere_or_from_nowhere_is_a_forks(forge: str, source: str | None) -> None:
    assert read(forge, event(forge, source=source)).is_fork


@pytest.mark.parametrize(
    "odd", [{"ref": "refs/pull/7/head", "label": ""}, {"ref": "refs/pull/7/head"}, {"label": ""}, {"label": None}]
)
def test_what_anybody_may_push_for_a_request_of_gitea_is_a_forks(odd: dict[str, Any]) -> None:
    payload = event("gitea")
    payload["pull_request"]["head"] |= odd
    assert read("gitea", payload).is_fork


@pytest.mark.parametrize(
    ("forge", "state"), [("gitlab", "merged"), ("bitbucket", "MERGED"), ("bitbucket-dc", "MERGED")]
)
def test_merged_is_told_from_closed(forge: str, state: str) -> None:
    assert read(forge, event(forge, state)).state is RequestState.MERGED


def test_a_closed_one_that_was_merged_is_merged() -> None:
    payload = event("github", "closed")
    payload["pull_request"]["merged"] = True
    assert read("github", payload).state is RequestState.MERGED


@pytest.mark.parametrize("forge", FORGES)
def test_other_events_are_about_no_request(forge: str) -> None:
    assert change_request_of(forge, {next(iter(HEADERS[forge])): "push"}, event(forge)) is None
    assert change_request_of("plain", {}, event(forge)) is None
    assert change_request_of("azure", {}, event(forge)) is None


def test_one_that_was_deleted_is_closed() -> None:
    found = change_request_of("bitbucket-dc", {"x-event-key": "pr:deleted"}, event("bitbucket-dc"))
    assert found is not None and found.state is RequestState.CLOSED


def test_a_system_hook_of_gitlab_tells_of_requests_too() -> None:
    found = change_request_of("gitlab", {"x-gitlab-event": "System Hook"}, event("gitlab"))
    assert found is not None and found.number == 7


def test_bitbucket_cloud_shortens_a_sha_and_no_other_forge_does() -> None:
    assert read("bitbucket", event("bitbucket", head="c" * 12)).head == "c" * 12
    for forge in set(FORGES) - {"bitbucket"}:
        with pytest.raises(MalformedPushError):
            read(forge, event(forge, head="c" * 12))


def test_a_title_is_one_line_of_bounded_length() -> None:
    title = read("github", event("github", title="a\x00\n\x1b[31m\u202eb" + "x" * 10_000)).title
    assert title.startswith("a [31m b") and len(title) == 300
    assert read("github", event("github", title=["no text"])).title == ""


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize(
    "odd",
    [
        {"number": 0}, {"number": -1}, {"number": True}, {"number": "7"}, {"number": 2**31}, {"head": "--upload-pack=x"},
        {"head": "C" * 40}, {"head": ""}, {"state": "ajar"},
    ],
)  # fmt: skip
def test_what_no_forge_sends_is_refused(forge: str, odd: dict[str, Any]) -> None:
    with pytest.raises(MalformedPushError):
        read(forge, event(forge, **odd))


def test_a_branch_of_ours_has_a_name_that_git_allows() -> None:
    payload = event("github")
    payload["pull_request"]["head"]["ref"] = "--x"
    with pytest.raises(MalformedPushError):
        read("github", payload)
    payload["pull_request"]["head"]["repo"] = None
    assert read("github", payload).source_branch == "--x", "a stranger's is only shown"
    payload["pull_request"]["base"]["ref"] = "../x"
    with pytest.raises(MalformedPushError):
        read("github", payload)


@given(st.sampled_from(FORGES), ANYTHING, st.data())
def test_whatever_stands_in_a_payload_is_read_or_refused(forge: str, odd: Any, data: st.DataObject) -> None:
    payload = json.loads(json.dumps(event(forge)))
    holder = payload
    while True:
        key = data.draw(st.sampled_from(sorted(holder)))
        if not isinstance(holder[key], dict) or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = odd
    try:
        found = change_request_of(forge, HEADERS[forge], payload)
    except MalformedPushError:
        return
    assert found is None or (found.number > 0 and set(found.head) <= set("0123456789abcdef"))
