"""Triage by the API: what it records and logs, its dry run, what it refuses, and what the finding's page shows of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from infraaudit_domain.judging.roles import Holder, Role
from resources.history import History
from resources.history.decisions.triage import events_of
from service.app import ServiceOptions, build_app
from tests.service.conftest import HOSTILE, RULES, A, B

API = "/api/v1/projects/shop"
ADA = {"Authorization": "Bearer of-ada"}
LAST_DAY = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
ACCEPT = {"action": "accept", "ids": [B.fingerprint[:12]], "reason": "behind the VPN", "owner": "ops"}
ACCEPT |= {"expires": LAST_DAY}
BY_FILTER = {name: value for name, value in ACCEPT.items() if name != "ids"} | {"filter": {"check": "CKV_B"}}


@pytest.fixture
def client(history: History) -> TestClient:
    named = {"ada": Holder(("of-ada",), Role.TRIAGER), "boss": Holder(("of-boss",), Role.ADMIN)}
    options = ServiceOptions(["shop"], named_tokens=named, rules=lambda _: RULES)
    return TestClient(build_app(history, options), client=("192.0.2.7", 50000))


def posted(client: TestClient, body: Any) -> Any:
    return client.post(f"{API}/triage", headers=ADA, json=body)


@pytest.mark.parametrize("body", [ACCEPT, BY_FILTER])
def test_a_decision_is_recorded_once_and_logged_with_its_name_and_address(
    client: TestClient, history: History, body: dict[str, Any]
) -> None:
    before = len(events_of(history, "shop"))
    dry = posted(client, body | {"dry_run": True})
    assert (dry.status_code, dry.json()["findings"], dry.json()["recorded"]) == (200, 1, False), dry.text
    assert dry.json()["first"][0]["id"] == B.fingerprint and len(events_of(history, "shop")) == before
    done = posted(client, body)
    assert (done.status_code, done.json()["findings"], done.json()["recorded"]) == (201, 1, True)
    event = events_of(history, "shop")[-1]
    assert (event.fingerprint, event.by, event.ruling.expires.isoformat()) == (B.fingerprint, "ada", LAST_DAY)
    again = posted(client, body | {"ids": [B.fingerprint]} if "ids" in body else ACCEPT)
    assert (again.status_code, again.json()["unchanged"]) == (200, 1)
    assert client.get(f"{API}/audit-log", headers=ADA).status_code == 403
    boss = {"Authorization": "Bearer of-boss"}
    line = client.get(f"{API}/audit-log?limit=1", headers=boss).json()["items"][0]
    assert (line["act"], line["actor"], line["via"], line["address"]) == ("triage", "ada", "api", "192.0.2.7")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"action": "forget"}, 400),
        ({"action": 7}, 400),
        ({"reason": " "}, 400),
        ({"owner": ["ops"]}, 400),
        ({"reason": "a\x00b"}, 400),
        ({"expires": "tomorrow"}, 400),
        ({"expires": ""}, 400),
        ({"expires": "2020-01-01"}, 400),
        ({"ids": []}, 400),
        ({"ids": [1]}, 400),
        ({"ids": ["%"]}, 400),
        ({"ids": [B.fingerprint] * 201}, 400),
        ({"filter": {"check": "CKV_B"}}, 400),
        ({"filter": {"project": "bank"}}, 400),
        ({"filter": "all"}, 400),
        ({"dry_run": "no"}, 400),
        ({"by": "somebody else"}, 400),
        ({"ids": ["f" * 32]}, 404),
        ({"reason": "x" * 20_000}, 413),
    ],
)
def test_what_is_wrong_is_refused_and_leaves_nothing(
    client: TestClient, history: History, change: dict[str, Any], status: int
) -> None:
    before = events_of(history, "shop")
    refused = posted(client, ACCEPT | change)
    assert refused.status_code == status and refused.json()["error"], refused.text
    assert events_of(history, "shop") == before


def test_neither_all_findings_nor_another_project_are_decided_of(client: TestClient) -> None:
    bodies: list[Any] = [BY_FILTER | {"filter": {}}, BY_FILTER | {"filter": {"status": "open"}}, [], "x", None]
    for body in bodies:
        assert posted(client, body).status_code == 400, body
    assert client.post(f"{API}/triage", headers=ADA, content=b"[" * 9000).status_code == 400
    assert client.post("/api/v1/projects/bank/triage", headers=ADA, json=ACCEPT).status_code == 404
    assert client.post(f"{API}/triage", auth=("any", "of-ada"), json=ACCEPT).status_code == 401
    assert client.post(f"{API}/triage", json=ACCEPT, headers={"Cookie": "token=of-ada"}).status_code == 401


def test_the_document_describes_it(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json", headers=ADA).json()["paths"]
    path = paths["/api/v1/projects/{project}/triage"]
    assert "403" in paths["/api/v1/projects/{project}/audit-log"]["get"]["responses"]
    assert set(path) == {"get", "post"} and {"200", "201", "401", "403", "413"} <= path["post"]["responses"].keys()
    body = path["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["action"] and ACCEPT.keys() <= body["properties"].keys()


def test_the_page_of_a_finding_shows_what_was_decided_and_how_to_decide(client: TestClient) -> None:
    def page(of: str) -> str:
        return client.get(f"/projects/shop/findings/{of}", headers=ADA).text

    assert "What was decided" not in page(A.fingerprint)
    before = page(B.fingerprint)
    assert "What was decided" in before and "assign, standing" in before and HOSTILE not in before
    assert f"infraaudit triage accept {B.fingerprint[:12]} --project shop" in before
    assert posted(client, ACCEPT | {"reason": f"why {HOSTILE}"}).status_code == 201
    after = page(B.fingerprint)
    assert "accept, standing" in after and LAST_DAY in after and "ada" in after
    assert HOSTILE not in after and "why &lt;script&gt;" in after
    assert posted(client, {"action": "undo", "ids": [B.fingerprint]}).status_code == 201
    assert "accept, undone" in page(B.fingerprint)


def test_a_wrong_method_is_answered_with_all_that_the_path_has(client: TestClient) -> None:
    answer = client.request("DELETE", f"{API}/triage", headers=ADA)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert client.request("POST", f"{API}/findings", headers=ADA).headers["allow"] == "GET, HEAD"
