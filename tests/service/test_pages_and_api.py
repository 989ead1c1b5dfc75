"""The audit page and the trend API: what they show, what they refuse, and that nothing a commit says is markup."""

import csv
import io
import re

import pytest
from starlette.testclient import TestClient

from resources.history import History
from service.app import ServiceOptions, build_app
from service.received import Received
from tests.service.conftest import SHAS, B

API = "/api/v1/projects/shop"
PATHS = ["", "/findings", f"/findings/{B.fingerprint}"]


def test_the_page_shows_what_is_live_and_every_commit(client: TestClient) -> None:
    page = client.get("/").text
    assert SHAS[3][:7] in page and "2 open findings are live" in page
    assert "2 of 3" in page and "rolled back" in page
    assert page.count("<rect") == 3 * 6


@pytest.mark.parametrize("path", PATHS)
def test_what_a_commit_says_is_never_markup(client: TestClient, path: str) -> None:
    answer = client.get(f"/projects/shop{path}")
    assert answer.status_code == 200
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script" not in answer.text and "\x1b" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_finding_has_its_whole_life(client: TestClient) -> None:
    events = client.get(f"{API}/findings/{B.fingerprint}").json()["items"]
    assert [(e["event"], e["sha"]) for e in events] == [
        ("introduced", SHAS[0]),
        ("fixed", SHAS[1]),
        ("reopened", SHAS[3]),
    ]
    assert "still live" in client.get(f"/projects/shop/findings/{B.fingerprint}").text


def test_the_api_counts_pages_and_filters(client: TestClient) -> None:
    commits = client.get(f"{API}/commits?limit=2&offset=1").json()
    assert commits["total"] == 4
    assert [row["sha"] for row in commits["items"]] == [SHAS[2], SHAS[1]]
    second = commits["items"][1]
    assert (second["open"], second["new"], second["fixed"], second["deployment"]) == (2, 1, 1, "rolled_back")
    assert client.get(f"{API}/findings?severity=critical").json()["total"] == 1
    assert client.get(f"{API}/findings?q=%25").json()["total"] == 0
    assert client.get(f"{API}/findings?commit={SHAS[1][:39]}").json()["total"] == 2
    assert client.get(f"{API}/dora").json()["items"][0]["restore_seconds"] == 7200
    assert [row["high"] for row in client.get(f"{API}/trends").json()["items"]] == [1, 1, 1]


def test_csv_is_the_same_table_and_runs_nothing(client: TestClient) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get(f"{API}/findings?format=csv").text)))
    assert [row["check_id"] for row in rows] == ["CKV_B", "CKV_A"]
    assert not any(re.match(r"[=+\-@]", value) for row in rows for value in row.values())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/findings?severity=' OR 1=1--", 400),
        ("/findings?framework=<b>", 400),
        ("/findings?commit=HEAD", 400),
        ("/findings?commit=ffffffff", 404),
        ("/findings?limit=100000", 400),
        ("/findings?limit=-1", 400),
        ("/findings?offset=99999999999999999999", 400),
        ("/findings?q=" + "(a%2B)%2B" * 60, 400),
        ("/findings?q=%00", 400),
        ("/findings/nothing", 404),
        ("/dora?days=0", 400),
        ("/trends?format=xml", 400),
        ("/trends?limit=٣", 400),
    ],
)  # fmt: skip
def test_bad_queries_are_refused_with_a_reason(client: TestClient, path: str, status: int) -> None:
    answer = client.get(API + path)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    assert client.get("/api/v1/projects/unknown/commits").status_code == 404


def test_every_path_of_the_document_answers(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    for path in document["paths"]:
        filled = path.replace("{project}", "shop").replace("{fingerprint}", B.fingerprint)
        assert client.get(filled).status_code == 200, path


def test_with_a_token_only_health_and_webhooks_are_open(history: History, received: Received) -> None:
    client = TestClient(build_app(history, ServiceOptions(["shop"], tokens=["one", "two"]), received=received))
    assert client.get("/healthz").status_code == 200
    assert client.post("/webhooks/shop").status_code == 401
    for path in ("/", "/metrics", "/sd", API + "/commits"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer two"}).status_code == 200
        assert client.get(path, headers={"Authorization": "Bearer no"}).status_code == 401


def test_targets_are_what_is_live(client: TestClient) -> None:
    (group,) = client.get("/sd").json()
    assert group == {
        "targets": ["127.0.0.1:9"],
        "labels": {"project": "shop", "environment": "production", "sha": SHAS[3]},
    }
