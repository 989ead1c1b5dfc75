"""The pages that play the past again: they give what the API gives, and say what is wrong, missing or unknown."""

from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.projects import Project
from resources.history import History
from service.app import ServiceOptions, build_app
from tests.resources.databases import migrated_history
from tests.service.conftest import SHAS, START

PAST = "/projects/shop/past"


def test_a_moment_is_shown_with_its_findings(client: TestClient) -> None:
    answer = client.get(f"{PAST}/at", params={"when": (START + timedelta(minutes=30)).isoformat()})
    assert answer.status_code == 200
    assert SHAS[0][:7] in answer.text and "CKV_B" in answer.text
    assert "Deployed by the pipeline" not in answer.text, "its stage had ended before"


@pytest.mark.parametrize(
    ("sha", "said", "unread"),
    [(SHAS[2], "its scan failed", "3"), ("9" * 40, "it has not been scanned", "not known")],
)
def test_what_was_live_without_a_usable_scan_says_why_its_findings_are_not_known(
    history: History, client: TestClient, sha: str, said: str, unread: str
) -> None:
    then = START + timedelta(hours=4)
    history.record_deployment(Deployment("shop", "production", sha, "container", Outcome.DEPLOYED, then, then))
    page = client.get(f"{PAST}/at", params={"when": then.isoformat()}).text
    assert f"Its findings are not known: {said}." in page and f"Files not read: {unread}" in page


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("at?when=2026-02-30", "is a time, like"),
        ("at?when=9999-01-01", "is in the future"),
        ("at?when=zzz", "a commit is 7 to 64 hexadecimal digits"),
        ("gate?gate={open: {}, open: {}, new: {}}", "given twice"),
        ("gate?gate={open: {}, new: {}, neu: {}}", "neu"),
        ("gate?gate={open: {", "no YAML"),
        ("gate?gate=" + "x" * 20_001, "at most 20000"),
        ("exposed?check=CKV_NONE", "is not known here"),
        ("back?hours=0", "number from 1"),
    ],
)
def test_what_is_wrong_is_said_on_the_page_and_by_the_api(client: TestClient, path: str, fault: str) -> None:
    page = client.get(f"{PAST}/{path}")
    assert page.status_code == 400 and fault in page.text
    name = path.replace("gate?", "gate/replay?").replace("back?", "least-exposure?")
    served = client.get(f"/api/v1/projects/shop/{name}")
    assert served.status_code in (400, 404) and fault in served.json()["error"]


def test_a_gate_that_is_given_is_played(client: TestClient) -> None:
    gate = "open: {critical: 0}\nnew: {}\n"
    page = client.get(f"{PAST}/gate", params={"gate": gate}).text
    rows = client.get("/api/v1/projects/shop/gate/replay", params={"gate": gate}).json()["items"]
    assert f"{len(rows)} of 3 deployments would have been stopped" in page
    # The gap of every scan stops it: nobody accepted it.
    assert [row["sha"] for row in rows] == [SHAS[3], SHAS[1], SHAS[0]]
    assert all("its scan is partial" in row["reasons"] for row in rows)


def test_what_is_not_known_is_neither_exposed_nor_safe(client: TestClient) -> None:
    page = client.get(f"{PAST}/exposed?check=CKV_A").text
    assert "it was scanned by 3.3, and not by" in page
    items = client.get("/api/v1/projects/shop/exposed?check=CKV_A").json()["items"]
    assert [row["state"] for row in items][:1] == ["exposed"] and items[-1]["state"] == "unknown"


def test_the_way_back_is_a_picture_too(client: TestClient) -> None:
    page = client.get(f"{PAST}/back").text
    assert "least" in page and SHAS[0][:7] in page


def test_without_a_deployment_every_page_says_what_to_run(tmp_path: Path) -> None:
    history = migrated_history(tmp_path)
    history.record_project(Project("shop", "https://example.org/shop.git"))
    client = TestClient(build_app(history, ServiceOptions(["shop"])))
    for name in ("at", "gate", "exposed?check=CKV_A", "back"):
        answer = client.get(f"{PAST}/{name}")
        assert answer.status_code == 200 and "no deployment yet" in answer.text, name
