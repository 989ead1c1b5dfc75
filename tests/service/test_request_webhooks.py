"""Webhooks of pull and merge requests over HTTP: what is stored, what the head shows, and what is refused."""

import hashlib
import hmac
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from infraaudit.forge.requests import take_request, takes_requests
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.forge.statuses import CommitStatus, StatusState
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from resources.history import History
from resources.history.forge.change_requests import request_rows
from resources.history.forge.statuses import newest_statuses, want_statuses
from resources.machine.inbox import Inbox
from service.app import ServiceOptions, build_app
from service.received import Received
from tests.infraaudit_domain.forge.request_events import CLOSED, HEAD, HEADERS, OPEN, event
from tests.resources.databases import migrated_history
from tests.service.conftest import HOSTILE, SECRET

FORGE = Forge(ForgeKind.GITHUB, "https://forge.example/api", "group/shop", requests=True)
SHOP = Project("shop", "https://forge.example/group/shop.git", forge=FORGE)
_QUEUED = {f"infraaudit/shop/{stage}": "Queued" for stage in ("image", "tests", "scan")}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return migrated_history(tmp_path)


def service(history: History, folder: Path, project: Project = SHOP) -> TestClient:
    options = ServiceOptions(
        ["shop"],
        {"shop": [SECRET]},
        {"shop": project.url},
        keep_request={"shop": partial(take_request, history, project)} if takes_requests(project) else {},
    )
    return TestClient(build_app(history, options, received=Received(Inbox(folder / "inbox"), history)))


def post(client: TestClient, forge: str, payload: Any, secret: str = SECRET) -> Any:
    body = json.dumps(payload).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    signed = {
        "github": {"x-hub-signature-256": f"sha256={digest}"},
        "gitea": {"x-gitea-signature": digest},
        "gitlab": {"x-gitlab-token": secret},
        "bitbucket": {"x-hub-signature": f"sha256={digest}", "x-request-uuid": "1"},
        "bitbucket-dc": {"x-hub-signature": f"sha256={digest}", "x-request-id": "1"},
    }[forge]
    return client.post("/webhooks/shop", content=body, headers=HEADERS[forge] | signed)


def shown(history: History) -> dict[str, str]:
    return {row["context"]: row["words"] for row in newest_statuses(history, "shop", 9)}


@pytest.mark.parametrize("forge", list(OPEN))
def test_a_request_is_stored_and_its_head_is_pending_at_once(history: History, tmp_path: Path, forge: str) -> None:
    client = service(history, tmp_path)
    answer = post(client, forge, event(forge, title=HOSTILE))
    assert (answer.status_code, answer.json()) == (202, {"state": "stored", "request": 7})
    assert shown(history) == _QUEUED
    (row,) = request_rows(history, "shop")
    assert (row["number"], row["head"], row["verdict"]) == (7, HEAD, "pending") and "\x1b" not in row["title"]
    older = event(forge, changed="2026-02-01T10:00:00Z", head="e" * 40)
    assert post(client, forge, older).json()["state"] == "known"
    assert post(client, forge, event(forge, CLOSED[forge], changed="2026-03-02T10:00:00Z")).status_code == 202
    assert request_rows(history, "shop")[0]["state"] == "closed"
    assert set(shown(history).values()) == {"Not run: its request was closed"}


@pytest.mark.parametrize("forge", list(OPEN))
def test_the_head_of_a_fork_waits_and_nothing_of_it_is_queued(history: History, tmp_path: Path, forge: str) -> None:
    post(service(history, tmp_path), forge, event(forge, source="stranger/shop"))
    assert shown(history) == {"infraaudit/shop/scan": "Waits for a member who lets the head of this fork be read"}
    assert request_rows(history, "shop")[0]["verdict"] == "waits"


@pytest.mark.parametrize("forge", [None, replace(FORGE, requests=False)])
def test_a_project_that_does_not_ask_for_requests_takes_none(
    history: History, tmp_path: Path, forge: Forge | None
) -> None:
    answer = post(service(history, tmp_path, replace(SHOP, forge=forge)), "github", event("github"))
    assert answer.json()["state"] == "ignored" and answer.json()["reason"]
    assert request_rows(history, "shop") == [] and shown(history) == {}


@pytest.mark.parametrize("forge", list(OPEN))
def test_what_is_not_signed_or_malformed_or_of_another_repository_is_not_stored(
    history: History, tmp_path: Path, forge: str
) -> None:
    client = service(history, tmp_path)
    assert post(client, forge, event(forge), secret="another").status_code == 401
    assert post(client, forge, event(forge, head="--output=/tmp/x")).status_code == 400
    elsewhere = event(forge) | {"repository": {"clone_url": "https://forge.example/group/other.git"}}
    assert post(client, forge, elsewhere).json()["state"] == "ignored"
    assert request_rows(history, "shop") == []


def test_where_it_cannot_be_stored_the_forge_is_asked_to_send_it_again(history: History, tmp_path: Path) -> None:
    def broken(_seen: object) -> bool:
        raise HistoryError("the database is locked")

    options = ServiceOptions(["shop"], {"shop": [SECRET]}, keep_request={"shop": broken})
    client = TestClient(build_app(history, options, received=Received(Inbox(tmp_path / "inbox"), history)))
    assert post(client, "github", event("github")).status_code == 503


@pytest.mark.parametrize("state", [StatusState.SUCCESS, StatusState.PENDING])
def test_a_strangers_request_says_nothing_of_a_commit_that_is_ours(
    history: History, tmp_path: Path, state: StatusState
) -> None:
    own = CommitStatus("infraaudit/shop/scan", state, "Queued")
    want_statuses(history, "shop", HEAD, [own])
    client = service(history, tmp_path)
    assert post(client, "github", event("github", source="eve/shop")).status_code == 202
    assert shown(history) == {own.context: own.words}
    closed = event("github", CLOSED["github"], source="eve/shop", changed="2026-03-02T10:00:00Z")
    assert post(client, "github", closed).status_code == 202
    assert newest_statuses(history, "shop", 9)[0]["state"] == state.value
