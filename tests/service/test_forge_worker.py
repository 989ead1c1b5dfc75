"""Statuses end to end: facts in the history, real HTTP, every forge; one that misbehaves holds up nobody else."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from infraaudit.forge import sending
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.forge.statuses import CommitStatus, StatusState
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.forge_address import ForgeKind
from resources.history import History, schema
from resources.history.forge import statuses
from resources.history.forge.expected import expect_statuses
from resources.history.forge.faults import clear_fault, faults, note_fault
from resources.history.forge.statuses import newest_statuses, projects_due, want_statuses
from service.workers import forge_worker
from service.workers.forge_worker import ForgeWorker
from tests.forges.stand_in import TOKEN, Script, StandIn, running
from tests.resources.databases import migrated_history

SHA, OTHER = "a" * 40, "b" * 40
PUBLIC = "https://audit.example"
_STATUSES = schema.commit_statuses
_QUEUED = {f"infraaudit/shop/{stage}": "pending" for stage in ("image", "tests", "scan")}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return migrated_history(tmp_path)


@pytest.fixture
def forges() -> Iterator[Callable[[ForgeKind], StandIn]]:
    with ExitStack() as stack:
        yield lambda kind: stack.enter_context(running(kind, [SHA, OTHER]))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forge_worker, "ROUND_SECONDS", 0.01)


def project_of(server: StandIn, name: str = "shop") -> Project:
    return Project(name, "https://forge.example/group/shop", forge=server.forge)


def worked(
    history: History,
    projects: list[Project],
    until: Callable[[], object],
    tokens: Mapping[str, str] | None = None,
    public_url: str = PUBLIC,
    seconds: float = 5.0,
) -> float:
    """Let a worker work until something is so; returns how many seconds that took."""
    given = {one.name: TOKEN for one in projects} if tokens is None else tokens

    def token(project: Project) -> str:
        if project.name not in given:
            raise ConfigurationError(f"{project.name} has no token for its forge")
        return given[project.name]

    worker = ForgeWorker(history, {one.name: one for one in projects}, token, lambda *_: Verdict(), public_url)

    async def run() -> float:
        task = asyncio.create_task(worker.run())
        began = time.monotonic()
        while not await asyncio.to_thread(until):
            assert time.monotonic() - began < seconds, "it never came to be so"
            await asyncio.sleep(0.01)
        took = time.monotonic() - began
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return took

    return asyncio.run(run())


def nothing_waits(history: History, project: str = "shop") -> bool:
    return all(row["sent"] for row in newest_statuses(history, project, 100))


@pytest.mark.parametrize("kind", list(ForgeKind))
def test_a_push_is_pending_soon_and_the_outcome_follows_in_order(
    history: History, forges: Callable[[ForgeKind], StandIn], kind: ForgeKind
) -> None:
    server = forges(kind)
    shop = project_of(server)
    expect_statuses(history, "shop", [SHA])
    assert worked(history, [shop], lambda: nothing_waits(history)) < 3
    assert len(server.statuses) == 3
    moment = datetime.now(UTC)
    history.record_stage("shop", SHA, "docker_image", StageOutcome.FAILED, moment, moment, "run", "why")
    worked(history, [shop], lambda: len(server.statuses) == 5 and nothing_waits(history))
    assert [request.status for request in server.received] == [201] * 5
    links = [body.get("target_url") or body.get("url") for _, body in server.statuses]
    assert set(links) == {f"{PUBLIC}/projects/shop/commits/{SHA}"}


def test_without_a_public_address_there_is_no_link_to_one(
    history: History, forges: Callable[[ForgeKind], StandIn]
) -> None:
    server = forges(ForgeKind.GITHUB)
    expect_statuses(history, "shop", [SHA])
    worked(history, [project_of(server)], lambda: nothing_waits(history), public_url="")
    assert server.shown(SHA) == _QUEUED and not any("target_url" in body for _, body in server.statuses)


def test_a_forge_that_hangs_or_refuses_holds_up_its_own_project_alone(
    history: History, forges: Callable[[ForgeKind], StandIn], caplog: pytest.LogCaptureFixture
) -> None:
    slow, bad, good = (forges(kind) for kind in (ForgeKind.GITLAB, ForgeKind.GITHUB, ForgeKind.GITEA))
    slow.scripts = [Script(201, seconds=3.0)]
    projects = [project_of(slow, "slow"), project_of(bad, "bad"), project_of(good)]
    for name in ("slow", "bad", "shop"):
        expect_statuses(history, name, [SHA, OTHER])
    tokens = {"slow": TOKEN, "bad": "expired", "shop": TOKEN}
    assert worked(history, projects, lambda: nothing_waits(history) and faults(history), tokens) < 3
    assert len(bad.received) == 1 and "HTTP 401" in faults(history)["bad"].fault
    assert sum("The forge of bad takes no statuses" in record.message for record in caplog.records) == 1


def test_the_limits_of_a_forge_are_honoured_and_what_waits_is_sent_afterwards(
    history: History, forges: Callable[[ForgeKind], StandIn]
) -> None:
    server = forges(ForgeKind.GITHUB)
    server.scripts = [Script(429, {"Retry-After": "60"})]
    expect_statuses(history, "shop", [SHA])
    worked(history, [project_of(server)], lambda: faults(history))
    fault = faults(history)["shop"]
    assert (fault.until - fault.since).total_seconds() == 60 and len(server.received) == 1
    clear_fault(history, "shop")
    worked(history, [project_of(server)], lambda: nothing_waits(history))
    assert [request.status for request in server.received] == [429, 201, 201, 201]


def test_a_commit_that_the_forge_lacks_does_not_stop_the_others(
    history: History, forges: Callable[[ForgeKind], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_MOST_ATTEMPTS", 1)
    server = forges(ForgeKind.BITBUCKET)
    expect_statuses(history, "shop", ["c" * 40, SHA])
    worked(history, [project_of(server)], lambda: len(server.statuses) == 3)
    assert not faults(history) and {row["last_error"] for row in newest_statuses(history, "shop", 9)} == {
        "",
        "HTTP 404: Not Found",
    }


def test_what_a_forge_fails_on_holds_up_no_other_and_ends(
    history: History, forges: Callable[[ForgeKind], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_MOST_ATTEMPTS", 2)
    monkeypatch.setattr(sending, "_DENIED_SECONDS", 0.1)
    monkeypatch.setattr(statuses, "backoff", lambda attempts: timedelta(seconds=0.1))
    server = forges(ForgeKind.GITLAB)
    closed = [CommitStatus(f"infraaudit/shop/{one}", StatusState.SUCCESS, "Built") for one in ("image", "tests")]
    want_statuses(history, "shop", OTHER, closed)
    server.closed = {OTHER}
    others = [SHA]
    expect_statuses(history, "shop", [SHA])

    def has_ended() -> bool:
        rows = newest_statuses(history, "shop", 100)
        if all(row["sent"] for row in rows if row["sha"] != OTHER):
            others.append(f"{len(others):040}")
            server.shas.add(others[-1])
            expect_statuses(history, "shop", others[-1:], ["scan"])
        return not any(
            row["sha"] == OTHER for row in history.rows(select(_STATUSES).where(_STATUSES.c.due_at.is_not(None)))
        )

    worked(history, [project_of(server)], has_ended)
    assert len(server.shown(SHA)) == 3 and not server.shown(OTHER)
    errors = {row["last_error"] for row in newest_statuses(history, "shop", 100) if row["sha"] == OTHER}
    assert errors == {"HTTP 403: closed"}


def test_an_outage_uses_up_no_attempts(history: History, forges: Callable[[ForgeKind], StandIn]) -> None:
    server = forges(ForgeKind.GITHUB)
    expect_statuses(history, "shop", [SHA])
    note_fault(history, "shop", "HTTP 503", datetime.now(UTC), 0.0)
    server.is_away = True
    worked(history, [project_of(server)], lambda: server.received and faults(history)["shop"].attempts == 2)
    assert {row["attempts"] for row in newest_statuses(history, "shop", 9)} == {0}


def test_what_is_left_of_a_forge_that_was_removed_is_dropped(history: History) -> None:
    broken = Project("broken", "https://forge.example/group/shop", fault="its entry is wrong")
    for name in ("bare", "broken"):
        note_fault(history, name, "HTTP 401", datetime.now(UTC), 600)
        expect_statuses(history, name, [SHA])
    bare = Project("bare", "https://github.com/acme/bare")
    worked(history, [bare, broken], lambda: "bare" not in faults(history))
    later = datetime.now(UTC) + timedelta(days=1)
    assert list(faults(history)) == projects_due(history, later) == ["broken"]


def test_a_token_goes_to_its_own_project_alone(history: History, forges: Callable[[ForgeKind], StandIn]) -> None:
    mine, theirs = forges(ForgeKind.GITHUB), forges(ForgeKind.GITHUB)
    projects = [project_of(mine), project_of(theirs, "theirs")]
    for name in ("shop", "theirs"):
        expect_statuses(history, name, [SHA])
    worked(history, projects, lambda: nothing_waits(history) and faults(history), {"shop": TOKEN})
    assert theirs.received == [] and "no token" in faults(history)["theirs"].fault
    assert {request.headers["authorization"] for request in mine.received} == {f"Bearer {TOKEN}"}


def test_a_project_that_is_broken_or_has_no_forge_is_left_alone(
    history: History, forges: Callable[[ForgeKind], StandIn]
) -> None:
    server = forges(ForgeKind.GITEA)
    broken = replace(project_of(server, "broken"), fault="its entry is wrong")
    for name in ("shop", "broken", "bare"):
        expect_statuses(history, name, [SHA])
    bare = Project("bare", "https://github.com/acme/bare")
    worked(history, [project_of(server), broken, bare], lambda: nothing_waits(history))
    assert {context.split("/")[1] for context in server.shown(SHA)} == {"shop"}
