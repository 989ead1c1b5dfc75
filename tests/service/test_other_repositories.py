"""Hooks of a whole forge: pushes to other repositories, and events that are named in another way than a push.

The payloads have the fields of the forges' documentation (GitLab's system hooks, Bitbucket Data Center's event payload,
Azure DevOps' service hook events), with names of our own.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from infraaudit_domain.repositories.urls import other_repository
from resources.history import History
from resources.history.pushes import waiting_pushes
from service.app import ServiceOptions, build_app
from service.received import Received
from tests.service.conftest import SECRET

A, B, NONE = "a" * 40, "b" * 40, "0" * 40
SYSTEM = {"X-Gitlab-Event": "System Hook", "X-Gitlab-Token": SECRET}
URL = "https://git.example.org/group/shop.git"


def gitlab(path: str = "group/shop") -> dict[str, Any]:
    return {
        "name": path.rpartition("/")[2],
        "web_url": f"https://git.example.org/{path}",
        "git_ssh_url": f"git@git.example.org:{path}.git",
        "git_http_url": f"https://git.example.org/{path}.git",
        "path_with_namespace": path,
        "homepage": f"https://git.example.org/{path}",
    }


def repository_update(*changes: dict[str, str], path: str = "group/shop") -> dict[str, Any]:
    return {
        "event_name": "repository_update", "user_id": 1, "user_name": "Ada", "project_id": 1, "project": gitlab(path),
        "changes": list(changes), "refs": [change["ref"] for change in changes],
    }  # fmt: skip


def moved(ref: str, before: str = A, after: str = B) -> dict[str, str]:
    return {"before": before, "after": after, "ref": ref}


@pytest.fixture
def client(history: History, received: Received) -> TestClient:
    return TestClient(
        build_app(history, ServiceOptions(["shop"], {"shop": [SECRET]}, {"shop": URL}), received=received)
    )


def stored(received: Received, history: History) -> list[tuple[str, str, str]]:
    received.move_to(history)
    return sorted((push.branch, push.before, push.after) for push in waiting_pushes(history, "shop"))


def test_a_system_hooks_one_event_for_all_refs_is_a_push(
    client: TestClient, received: Received, history: History
) -> None:
    body = repository_update(
        moved("refs/heads/main"), moved("refs/heads/new", NONE), moved("refs/heads/gone", A, NONE),
        moved("refs/tags/v1"), moved("refs/merge-requests/7/head"), moved("refs/keep-around/1"),
    )  # fmt: skip
    assert client.post("/webhooks/shop", json=body, headers=SYSTEM).status_code == 202
    assert stored(received, history) == [("main", A, B), ("new", "", B)]


@pytest.mark.parametrize(
    "body",
    [
        {"object_kind": "merge_request", "event_type": "merge_request", "project": gitlab(), "changes": {}},
        {"object_kind": "gitlab_subscription_member_approval", "action": "enqueue", "object_attributes": {}},
        {"event_name": "tag_push", "ref": "refs/tags/v1", "before": NONE, "after": A, "project": gitlab()},
        {"event_name": "project_create", "created_at": "2026-01-01T00:00:00Z", "name": "x", "project_id": 7},
        {"event_name": "user_failed_login", "user_id": 4, "state": "blocked"},
        repository_update(moved("refs/tags/v1")),
        repository_update(moved("refs/heads/main"), path="group/bank"),
        {"event_name": "push", "ref": "refs/heads/main", "before": A, "after": B, "project": gitlab("group/bank")},
    ],
)
def test_what_is_no_push_here_is_ignored_with_the_reason_and_never_refused(
    client: TestClient, received: Received, history: History, body: dict[str, Any]
) -> None:
    answer = client.post("/webhooks/shop", json=body, headers=SYSTEM)
    assert (answer.status_code, answer.json()["state"]) == (200, "ignored") and answer.json()["reason"]
    assert stored(received, history) == []


def test_whose_push_it_is_is_said_without_a_password(client: TestClient) -> None:
    body = {"ref": "refs/heads/main", "before": A, "after": B, "project": {
        "git_http_url": "https://bot:swordfish@git.example.org/group/bank.git"}}  # fmt: skip
    answer = client.post("/webhooks/shop", json=body, headers={"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": SECRET})
    assert "git.example.org/group/bank" in answer.json()["reason"] and "swordfish" not in answer.text


def test_a_gap_in_a_repository_update_is_refused(client: TestClient) -> None:
    wrong: tuple[Any, ...] = ({}, [{"ref": "refs/heads/main"}], [moved("refs/heads/../x")])
    for changes in wrong:
        body = repository_update() | {"changes": changes}
        assert client.post("/webhooks/shop", json=body, headers=SYSTEM).status_code == 400


def data_center(event: str, body: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    content = json.dumps(body).encode()
    digest = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
    return content, {"X-Event-Key": event, "X-Request-Id": "5be1-77", "X-Hub-Signature": f"sha256={digest}"}


@pytest.mark.parametrize(("event", "slug", "taken"), [
    ("repo:refs_changed", "shop", True), ("mirror:repo_synchronized", "shop", True), ("repo:refs_changed", "bank", False),
    ("pr:merged", "shop", False), ("repo:secret_detected", "shop", False),
])  # fmt: skip
def test_data_center(history: History, received: Received, event: str, slug: str, taken: bool) -> None:
    url = "ssh://git@bitbucket.example.org:7999/web/shop.git"
    client = TestClient(
        build_app(history, ServiceOptions(["shop"], {"shop": [SECRET]}, {"shop": url}), received=received)
    )
    clone = [
        {"href": f"https://bitbucket.example.org/scm/WEB/{slug}.git", "name": "http"},
        {"href": f"ssh://git@bitbucket.example.org:7999/web/{slug}.git", "name": "ssh"},
    ]
    self = [{"href": f"https://bitbucket.example.org/projects/WEB/repos/{slug}/browse"}]
    change = {"ref": {"id": "refs/heads/main", "displayId": "main", "type": "BRANCH"}, "refId": "refs/heads/main",
              "fromHash": A, "toHash": B, "type": "UPDATE"}  # fmt: skip
    tag = {"ref": {"id": "refs/tags/v1", "displayId": "v1", "type": "TAG"}, "refId": "refs/tags/v1", "fromHash": NONE,
           "toHash": B, "type": "ADD"}  # fmt: skip
    body = {
        "eventKey": event, "date": "2026-09-19T09:58:11+1000", "actor": {"name": "ada"}, "syncType": "INCREMENTAL",
        "refLimitExceeded": False, "repository": {"slug": slug, "links": {"clone": clone, "self": self}},
        "changes": [change, tag],
    }  # fmt: skip
    content, given = data_center(event, body)
    answer = client.post("/webhooks/shop", content=content, headers=given)
    assert answer.status_code == (202 if taken else 200), answer.text
    assert stored(received, history) == ([("main", A, B)] if taken else [])


@pytest.mark.parametrize(("name", "taken"), [("shop", True), ("bank", False)])
def test_azure(history: History, received: Received, name: str, taken: bool) -> None:
    url = "https://fabrikam@dev.azure.com/fabrikam/web/_git/shop"
    client = TestClient(
        build_app(history, ServiceOptions(["shop"], {"shop": [SECRET]}, {"shop": url}), received=received)
    )
    body = {
        "subscriptionId": "0a-1", "notificationId": 2, "eventType": "git.push", "publisherId": "tfs",
        "message": {"text": "Ada pushed updates"}, "resourceVersion": "1.0",
        "resource": {
            "commits": [{"commitId": B, "comment": "x", "url": "https://dev.azure.com/fabrikam/_git/x"}],
            "refUpdates": [{"name": "refs/heads/main", "oldObjectId": A, "newObjectId": B},
                           {"name": "refs/pull/7/merge", "oldObjectId": NONE, "newObjectId": A}],
            "repository": {
                "id": "278d", "name": name, "url": "https://dev.azure.com/fabrikam/_apis/git/repositories/278d",
                "remoteUrl": f"https://fabrikam@dev.azure.com/fabrikam/web/_git/{name}",
            },
            "pushId": 14,
        },
    }  # fmt: skip
    given = {"Authorization": f"Basic {base64.b64encode(f'any:{SECRET}'.encode()).decode()}"}
    answer = client.post("/webhooks/shop", json=body, headers=given)
    assert answer.status_code == (202 if taken else 200), answer.text
    assert stored(received, history) == ([("main", A, B)] if taken else [])


@pytest.mark.parametrize(
    ("url", "is_other"),
    [
        ("https://git.example.org/group/shop", False),
        ("git@git.example.org:Group/shop.git", False),
        ("ssh://git@git.example.org:2222/group/shop.git", False),
        ("https://token:x@git.example.org:8443/group/shop.git/", False),
        ("https://mirror.example.org/other/name.git", False),
        ("/srv/git/shop.git", False),
        ("", False),
        ("https://git.example.org/group/shop2", True),
        ("git@git.example.org:group/sub/shop.git", True),
        ("https://[broken", False),
    ],
)
def test_only_another_path_of_the_same_host_is_another_repository(url: str, is_other: bool) -> None:
    assert bool(other_repository({"project": gitlab()}, url)) is is_other


@pytest.mark.parametrize(
    "payload", [None, [], {"repository": 7}, {"project": {"url": ["x"], "links": {"clone": 7}}}, {}]
)
def test_a_payload_without_addresses_is_of_nobody_else(payload: Any) -> None:
    assert other_repository(payload, URL) == ""
