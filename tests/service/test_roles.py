"""Every endpoint and method against every role: one row each, and none may be missing."""

import json
from collections.abc import Iterator
from typing import NoReturn

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from infraaudit.deploying.approving import Approved
from infraaudit.questions.table import EXPORT, QUESTIONS
from infraaudit_domain.judging.audit_log import Actor
from infraaudit_domain.judging.roles import Holder, Role
from infraaudit_domain.projects import Project
from resources.history import History
from service.app import ServiceOptions, build_app
from service.received import Received
from service.workers.narrow_worker import NarrowWorker
from tests.service.conftest import RULES, SHAS, A
from tests.service.test_narrowing import _unreachable

NAMED = [role.value for role in Role]
EVERYBODY = ["nobody", "password", "read", "write", *NAMED]
"""Who asks: no token, an admin's token as a browser's password, tokens without a name, and each role."""
TOKENS = [one for one in EVERYBODY if one != "nobody"]
API = "/api/v1/projects/{project}"
ALLOWED: dict[tuple[str, str], list[str]] = {
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/metrics"): TOKENS,
    ("GET", "/sd"): TOKENS,
    ("POST", "/webhooks/{project}"): ["write", "deployer", "admin"],
    ("GET", "/api/v1/openapi.json"): TOKENS,
    ("GET", f"{API}/audit-log"): ["password", "admin"],
    ("POST", f"{API}/approvals"): ["deployer", "admin"],
    ("POST", f"{API}/triage"): ["triager", "admin"],
    ("POST", f"{API}/findings/{{fingerprint}}/narrow"): ["write", "triager", "deployer", "admin"],
}
"""Whom it answers otherwise than 401 or 403."""
OPEN_TO_READERS = [f"/api/v1{each.path}" for each in (*QUESTIONS, EXPORT) if each.name != "audit_log"]
ALLOWED |= {("GET", path): TOKENS for path in OPEN_TO_READERS}
PAGES = ["/", "/projects/{project}", *(f"/projects/{{project}}/{name}" for name in (
    "findings", "findings/{fingerprint}", "commits/{sha}", "deployments", "past/at", "past/back", "past/exposed",
    "past/gate"))]  # fmt: skip
ALLOWED |= {("GET", path): TOKENS for path in PAGES}
_PUSH = {"ref": "refs/heads/main", "after": "a" * 40}
_APPROVAL = {"environment": "production", "commit": SHAS[0], "reason": "fine"}
_RULING = {"action": "assign", "owner": "ada", "ids": [A.fingerprint], "dry_run": True}
BODIES = {"/webhooks/{project}": _PUSH, f"{API}/approvals": _APPROVAL, f"{API}/triage": _RULING}


def _approve(project: str, environment: str, commit: str, actor: Actor, reason: str) -> Approved:
    return Approved(project, environment, commit, actor.name, 1, 1)


def _no_scanner() -> NoReturn:
    raise AssertionError


@pytest.fixture
def service(history: History, received: Received) -> Starlette:
    options = ServiceOptions(
        ["shop"],
        read_tokens=["of-read"],
        write_tokens=["of-write"],
        named_tokens={f"{role}-person": Holder((f"of-{role}",), Role(role)) for role in NAMED},
        rules=lambda _: RULES,
    )
    narrowing = NarrowWorker(history, [Project("shop", "unused")], _unreachable, _no_scanner)
    return build_app(history, options, received=received, narrowing=narrowing, approve=_approve)


def endpoints(service: Starlette) -> Iterator[tuple[str, str]]:
    for route in service.routes:
        assert isinstance(route, Route)
        yield from ((method, route.path) for method in (route.methods or ()) if method != "HEAD")


def test_every_endpoint_has_a_row_and_every_row_an_endpoint(service: Starlette) -> None:
    assert sorted(endpoints(service)) == sorted(ALLOWED)


@pytest.mark.parametrize("who", EVERYBODY)
def test_each_role_gets_what_its_rights_allow_and_nothing_else(service: Starlette, who: str) -> None:
    client = TestClient(service)
    places = {"{project}": "shop", "{fingerprint}": A.fingerprint, "{sha}": SHAS[0], "{commit}": SHAS[0]}
    answers = {}
    for method, path in ALLOWED:
        address = path
        for name, value in places.items():
            address = address.replace(name, value)
        given = client.request(
            method,
            address,
            content=json.dumps(BODIES.get(path, {})) if method == "POST" else None,
            headers={} if who in ("nobody", "password") else {"Authorization": f"Bearer of-{who}"},
            auth=("any", "of-admin") if who == "password" else None,
        )
        assert given.status_code < 500, (method, path, given.text)
        answers[method, path] = given.status_code not in (401, 403)
    assert [row for row, is_let in answers.items() if is_let] == [row for row in ALLOWED if who in ALLOWED[row]]


def test_a_refusal_names_the_right_and_who_has_it(service: Starlette) -> None:
    client, path = TestClient(service), API.replace("{project}", "shop")
    refused = client.post(f"{path}/approvals", json=_APPROVAL, headers={"Authorization": "Bearer of-triager"})
    assert refused.status_code == 403
    assert "'approve'" in refused.json()["error"] and "deployer or admin" in refused.json()["error"]
    unknown = client.get(f"{path}/audit-log", headers={"Authorization": "Bearer of-nobody"})
    assert unknown.status_code == 401


def test_without_tokens_everybody_reads_and_nobody_writes(history: History) -> None:
    client = TestClient(build_app(history, ServiceOptions(["shop"]), approve=_approve))
    path = API.replace("{project}", "shop")
    assert client.get(f"{path}/audit-log").status_code == 200
    assert client.post(f"{path}/approvals", json=_APPROVAL).status_code == 401
