"""What every forge's API is asked, held against its published description; and what its answers are taken for."""

import json
from collections.abc import Iterator

import pytest

from infraaudit_domain.forge.answers import Result
from infraaudit_domain.forge.statuses import LONGEST_WORDS, StatusState, one_line
from infraaudit_domain.reporting.forge_address import ForgeKind
from resources.forge.request import Request
from tests.forges.asking import LINK, SHA, asked, sent
from tests.forges.stand_in import Script, StandIn, running

HOSTILE = "<script>alert(1)</script> ](javascript:x) @everyone \x1b[31m\u202e\r\nSet-Cookie: a=b\x00" + "ü" * 300


def _enqueue(state: str) -> bytes:
    return json.dumps({"message": f"Cannot transition status via :enqueue from :{state} (Reason(s): none)"}).encode()


@pytest.fixture(params=list(ForgeKind))
def forge(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    with running(request.param, [SHA]) as server:
        yield server


@pytest.fixture
def github() -> Iterator[StandIn]:
    with running(ForgeKind.GITHUB, [SHA]) as server:
        yield server


@pytest.mark.parametrize("link", [LINK, ""])
def test_every_state_is_taken_by_every_forge(forge: StandIn, link: str) -> None:
    for state in StatusState:
        assert sent(forge, state, link=link).result is Result.TAKEN, forge.received[-1]
    assert len(forge.statuses) == len(StatusState)


def test_what_is_asked_is_read_too(forge: StandIn) -> None:
    assert asked(forge, lambda c: c.ask(c.adapter.repository(c.forge))).result is Result.TAKEN
    assert asked(forge, lambda c: c.ask(c.adapter.commit(c.forge, SHA))).result is Result.TAKEN


def test_the_longest_and_most_hostile_words_are_taken(forge: StandIn) -> None:
    words = one_line(HOSTILE)
    assert len(words) <= LONGEST_WORDS and words.isprintable()
    context = f"infraaudit/{'p' * 40}/deploy-{'e' * 40}"
    assert sent(forge, words=words, context=context).result is Result.TAKEN, forge.received[-1]
    assert forge.statuses[-1][1]["description"] == words


def test_contexts_that_begin_alike_stay_two(forge: StandIn) -> None:
    for end in "ab":
        sent(forge, context=f"infraaudit/{'p' * 40}/{end}")
    assert len(forge.shown(SHA)) == 2


def test_a_commit_that_is_not_there_is_absent_and_a_token_without_a_right_is_denied(forge: StandIn) -> None:
    assert sent(forge, sha="b" * 40).result is Result.ABSENT
    assert sent(forge, token="another").result is Result.DENIED
    forge.tokens["reader"] = {"read"}
    forge.tokens["stranger"] = set()
    assert sent(forge, token="reader").result is Result.DENIED
    assert sent(forge, token="stranger", sha="b" * 40).result is Result.DENIED, "the repository is not visible either"


def test_a_status_that_is_there_already_counts_as_taken(forge: StandIn) -> None:
    assert [sent(forge, StatusState.PENDING, "Queued").result for _ in range(2)] == [Result.TAKEN] * 2


def test_the_stand_in_refuses_what_the_description_refuses(forge: StandIn) -> None:
    taken = forge.statuses
    good = (sent(forge), taken[-1][1])[1]
    path = forge.received[-1].path.removeprefix(forge.description["base"])
    wrong = [good | {"state": "nonsense"}, good | {"unknown": "field"}, good | {"description": 5}]
    for body in wrong:
        request = Request("POST", path, body)
        answer = asked(forge, lambda c, request=request: c.ask(request))  # type: ignore[misc]
        assert answer.result is Result.REJECTED, body
    assert len(taken) == 1


@pytest.mark.parametrize(
    ("script", "result", "pause"),
    [
        (Script(403, {"Retry-After": "7"}), Result.BUSY, 7.0),
        (Script(429, {"Retry-After": "99999999"}), Result.BUSY, 3600.0),
        (Script(429, {}), Result.BUSY, None),
        (Script(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}), Result.BUSY, 1.0),
        (Script(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 40}), Result.BUSY, 60.0),
        (Script(403, {"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": "1"}), Result.DENIED, None),
        (Script(403, {}, b'{"message": "You have exceeded a secondary rate limit"}'), Result.BUSY, None),
        (Script(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), Result.BUSY, 1.0),
        (Script(500, {"Retry-After": "soon"}), Result.BUSY, None),
        (Script(401), Result.DENIED, None),
        (Script(422, {}, b"[" * 100_000), Result.REJECTED, None),
        (Script(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Sign in</html>"), Result.DENIED, None),
        (Script(204), Result.TAKEN, None),
    ],
)
def test_what_an_answer_means(github: StandIn, script: Script, result: Result, pause: float | None) -> None:
    github.scripts = [script]
    answer = sent(github)
    assert (answer.result, answer.pause) == (result, pause)
    assert len(answer.words) < 300


@pytest.mark.parametrize(
    ("kind", "script", "result"),
    [
        (
            ForgeKind.GITEA,
            Script(500, {}, b'{"message": "object does not exist [id: aaa, rel_path: ]"}'),
            Result.ABSENT,
        ),
        (ForgeKind.GITEA, Script(500, {}, b'{"message": "GetCommit[aaa]: not there"}'), Result.ABSENT),
        (ForgeKind.GITEA, Script(500, {}, b'{"message": "database is locked"}'), Result.BUSY),
        (ForgeKind.GITLAB, Script(400, {}, _enqueue("running")), Result.TAKEN),
        (ForgeKind.GITLAB, Script(400, {}, _enqueue("success")), Result.REJECTED),
        (ForgeKind.GITLAB, Script(400, {}, _enqueue("failed")), Result.REJECTED),
    ],
)
def test_what_a_forge_says_in_its_own_way(kind: ForgeKind, script: Script, result: Result) -> None:
    with running(kind, [SHA]) as server:
        server.scripts = [script]
        assert sent(server, StatusState.PENDING).result is result
