"""The trend API: what it counts, pages and filters, and what it refuses."""

import csv
import io
import math
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from infraaudit.questions.table import EXPORT, EXPORT_TYPES, QUESTIONS
from infraaudit_domain.delivery.analysis import Threshold, judge
from infraaudit_domain.delivery.deployments import Release
from resources.history import History
from resources.history.decisions.measurements import record_measurements
from tests.service.conftest import SHAS, B

API = "/api/v1/projects/shop"
_TYPES = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


def test_it_counts_pages_and_filters(client: TestClient) -> None:
    commits = client.get(f"{API}/commits?limit=2&offset=1").json()
    assert (commits["total"], commits["limit"], commits["offset"]) == (4, 2, 1)
    assert [row["sha"] for row in commits["items"]] == [SHAS[2], SHAS[1]]
    second = commits["items"][1]
    assert [second[n] for n in ("open", "introduced", "fixed", "deployment")] == [2, 1, 1, "rolled_back"]
    assert client.get(f"{API}/findings?severity=critical").json()["total"] == 1
    assert client.get(f"{API}/findings?q=%25").json()["total"] == 0
    assert client.get(f"{API}/findings?status=suppressed&q=CKV_D").json()["items"][0]["check_id"] == "CKV_D"
    assert client.get(f"{API}/findings?commit={SHAS[1][:39]}&status=any").json()["total"] == 2
    assert client.get(f"{API}/commits?outcome=rolled_back").json()["items"][0]["sha"] == SHAS[1]
    assert client.get(f"{API}/commits?q={SHAS[2][:9]}").json()["total"] == 1
    assert client.get(f"{API}/dora").json()["items"][0]["restore_seconds"] == 7200


def test_the_next_page_is_named_until_there_is_none(client: TestClient) -> None:
    seen, address = [], f"{API}/commits?limit=3&q=commit"
    while address:
        page = client.get(address).json()
        seen += [row["sha"] for row in page["items"]]
        address = page["next"]
    assert seen == SHAS[::-1]


def test_a_finding_has_its_whole_life(client: TestClient) -> None:
    events = client.get(f"{API}/findings/{B.fingerprint}").json()["items"]
    assert [(e["event"], e["commit"]) for e in events] == [
        ("introduced", SHAS[0]),
        ("fixed", SHAS[1]),
        ("reopened", SHAS[3]),
    ]
    (stint,) = client.get(f"{API}/findings/{B.fingerprint}/live").json()["items"]
    assert (stint["environment"], stint["live_to"]) == ("production", None)


def test_what_is_live_knows_since_when_and_who_brought_it(client: TestClient) -> None:
    rows = client.get(f"{API}/live?environment=production&status=any").json()["items"][:2]
    assert [(r["check_id"], r["live"], r["introduced_by"], r["opened_by"]) for r in rows] == [
        ("CKV_B", SHAS[3], SHAS[0], SHAS[3]),
        ("CKV_A", SHAS[3], SHAS[0], SHAS[0]),
    ]
    assert rows[0]["live_since"] > rows[1]["live_since"]
    assert [(r["status"], r["hidden_by"]) for r in rows] == [("open", None), ("suppressed", "file")]
    assert client.get(f"{API}/live?environment=elsewhere").json()["total"] == 0


def test_trends_are_those_of_the_command_newest_first(client: TestClient) -> None:
    rows = client.get(f"{API}/trends").json()["items"]
    assert [(r["commit"], r["open"], r["introduced"], r["fixed"], r["reopened"]) for r in rows] == [
        (SHAS[3], 2, 0, 1, 1),
        (SHAS[2], 2, 0, 0, 0),
        (SHAS[1], 2, 1, 1, 0),
        (SHAS[0], 2, 2, 0, 0),
    ]
    by_severity = client.get(f"{API}/trends?by=severity&every=week").json()["items"]
    assert {row["group"] for row in by_severity} >= {"critical", "high"}
    assert client.get(f"{API}/trends?until=1999-12-31").json()["total"] == 0
    assert client.get(f"{API}/trends?since=0001-01-01&until=9999-12-31").json()["total"] == 4


def test_the_audit_answers_with_the_rules_of_the_project(client: TestClient) -> None:
    def rows(path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = client.get(f"{API}/{path}").json()["items"]
        return items

    assert [(r["event"], r["commit"]) for r in rows("blame?check=CKV_C")] == [
        ("introduced", SHAS[1]),
        ("fixed", SHAS[3]),
    ]
    assert {r["id"] for r in rows(f"blame?finding={B.fingerprint[:8]}")} == {B.fingerprint}
    changed = rows(f"compare?before={SHAS[0][:7]}&after={SHAS[1]}")
    assert [(r["change"], r["check_id"]) for r in changed] == [("added", "CKV_C"), ("removed", "CKV_B")]
    assert rows("compare") == []  # What is live is the newest scanned.
    exposed = {r["check_id"]: r for r in rows("exposure")}
    assert exposed["CKV_B"]["live_now"] is True and exposed["CKV_B"]["hours_exposed"] > 0
    assert rows("exposure?environment=elsewhere") == []
    assert [(r["sha"], r["live_to"] is None) for r in rows("exposure/commits")] == [(SHAS[0], False), (SHAS[3], True)]
    by_severity = {r["severity"]: r for r in rows("sla")}
    assert (by_severity["critical"]["open"], by_severity["critical"]["breached"]) == (1, 1)
    assert by_severity["low"]["breached"] is None
    hidden = {(r["source"], r["check_id"], r["owner"]) for r in rows("suppressions")}
    # The commit before was not scanned, so that nobody is known to have written the comment.
    assert hidden == {("code", "CKV_D", None), ("file", "CKV_A", "ops")}


def test_findings_are_exported_whole_with_what_the_project_suppresses(client: TestClient) -> None:
    rows = client.get(f"{API}/export?format=json&commit={SHAS[3]}").json()
    assert {(r["check_id"], r["status"]) for r in rows} == {
        ("CKV_A", "suppressed"),
        ("CKV_B", "open"),
        ("CKV_D", "suppressed"),
    }
    assert client.get(f"{API}/export").json()["version"] == "2.1.0"
    for form, kind in EXPORT_TYPES.items():
        assert client.get(f"{API}/export?format={form}").headers["content-type"] == kind
    assert client.get(f"{API}/export?limit=1").status_code == 400
    assert client.get(f"{API}/export?commit=ffffffff").status_code == 404


def test_csv_is_the_same_table_and_runs_nothing(client: TestClient) -> None:
    answer = client.get(f"{API}/findings?format=csv&status=any")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["check_id"] for row in rows] == ["CKV_B", "CKV_A", "CKV_D"]
    assert list(rows[0]) == list(client.get(f"{API}/findings").json()["items"][0])
    assert not any(re.match(r"[=+\-@]", value) for row in rows for value in row.values())
    assert answer.headers["x-total-count"] == "3"
    assert client.get(f"{API}/findings?format=csv&q=nothing").text.startswith("commit,id,framework,")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/findings?severity=' OR 1=1--", 400),
        ("/findings?severty=high", 400),
        ("/findings?framework=<b>", 400),
        ("/findings?commit=HEAD", 400),
        ("/findings?commit=ffffffff", 404),
        ("/findings?limit=100000", 400),
        ("/findings?limit=", 400),
        ("/findings?limit=-1", 400),
        ("/findings?offset=99999999999999999999", 400),
        ("/findings?q=" + "(a%2B)%2B" * 60, 400),
        ("/findings?q=%00", 400),
        ("/findings?%00=1", 400),
        ("/findings?severity=high&severity=low", 400),
        ("/findings?limit=5&limit=5", 400),
        ("/findings?limit=5.0", 400),
        ("/findings?limit=1_0", 400),
        ("/findings?limit=%2B5", 400),
        ("/findings?limit", 400),
        ("/findings?q[]=a", 400),
        ("/findings?q=" + "a" * 50_000, 400),
        ("/findings?" + "a" * 50_000, 400),
        ("/findings?commit=abcdef0%0a", 400),
        ("/findings?" + "&".join(f"a{n}" for n in range(5_000)), 400),
        ("/findings/%C3%A9", 404),
        ("/findings/nothing", 404),
        ("/findings/nothing/live", 404),
        ("/blame?finding=xyz", 400),
        ("/compare?before=HEAD", 400),
        ("/compare?before=ffffffff", 404),
        ("/compare?environment=elsewhere", 404),
        ("/sla?since=yesterday", 400),
        ("/suppressions?environment=<b>", 400),
        ("/dora?days=0", 400),
        ("/trends?format=xml", 400),
        ("/trends?limit=٣", 400),
        ("/trends?since=yesterday", 400),
        ("/trends?until=10000-01-01", 400),
        ("/trends?until=2026-02-30", 400),
        ("/changes?commit=" + "f" * 65, 400),
    ],
)  # fmt: skip
def test_bad_queries_are_refused_with_a_reason(client: TestClient, path: str, status: int) -> None:
    answer = client.get(API + path)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


def test_a_parameter_that_is_unknown_or_repeated_is_named(client: TestClient) -> None:
    unknown = client.get(f"{API}/stages?comit=abc").json()["error"]
    assert unknown == "'comit' is no parameter here; there are: commit, format, limit, offset"
    repeated = client.get(f"{API}/stages?commit={SHAS[0]}&commit={SHAS[1]}").json()["error"]
    assert repeated == "commit is given more than once"
    assert len(client.get(f"{API}/stages?{'a' * 50_000}").json()["error"]) < 200


def test_reading_is_the_only_method(client: TestClient) -> None:
    answer = client.head(f"{API}/commits")
    assert (answer.status_code, answer.headers["x-total-count"]) == (200, "4")
    for method in ("OPTIONS", "POST", "DELETE", "TRACE", "BREW"):
        refused = client.request(method, f"{API}/commits")
        assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, {"GET", "HEAD"}), method
        assert refused.json()["error"]


@pytest.mark.parametrize(
    "text", ["%", "'; DROP TABLE findings; --", "(a+)+$", "\\", '"', "\u202e", "${jndi:x}", "a" * 200]
)
def test_text_is_only_looked_for(client: TestClient, text: str) -> None:
    assert client.get(f"{API}/findings", params={"q": text}).json()["total"] == 0
    assert client.get(f"{API}/findings", params={"q": "_", "status": "any"}).json()["total"] == 3


def test_every_path_of_the_document_answers_with_the_columns_it_names(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert "security" not in document
    check = {"check": B.check_id}
    asked = {"compare": {"before": SHAS[0], "after": SHAS[1]}, "exposed": check, "exposed/commits": check}
    tables = {path: item for path, item in document["paths"].items() if not path.endswith("/export")}
    for path, item in tables.items():
        filled = path.replace("{project}", "shop").replace("{fingerprint}", B.fingerprint)
        content = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        chosen = asked.get(path.removeprefix("/api/v1/projects/{project}/"), {})
        rows = client.get(filled, params=chosen).json()["items"]
        assert rows, path
        row = content["properties"]["items"]["items"]
        assert list(rows[0]) == row["required"] == list(row["properties"]), path
        for name, schema in row["properties"].items():
            kinds = (*_TYPES[schema["type"][0]], type(None))
            assert all(type(found[name]) in kinds for found in rows), (path, name)


def test_every_path_is_a_question_and_every_question_a_path(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert list(paths) == [f"/api/v1{question.path}" for question in (*QUESTIONS, EXPORT)]
    for question in QUESTIONS:
        documented = [
            each["name"] for each in paths[f"/api/v1{question.path}"]["get"]["parameters"] if each["in"] == "query"
        ]
        assert documented == [*question.parameters, "limit", "offset", "format"]


def test_a_measurement_that_is_infinite_is_answered(client: TestClient, history: History) -> None:
    release = Release("shop", "production", SHAS[3], "i:1", "")
    found = judge(Threshold("only once", "errors", most=0.01), "errors", [math.inf])
    record_measurements(history, release, datetime(2026, 1, 1, tzinfo=UTC), [found])
    answer = client.get(f"{API}/measurements?commit={SHAS[3]}")
    assert answer.status_code == 200, answer.text
    (row,) = (one for one in answer.json()["items"] if one["name"] == "only once")
    assert (row["value"], row["passed"], row["why"]) == (None, False, "it was inf")
