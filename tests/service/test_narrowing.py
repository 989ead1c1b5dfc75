"""Who may have commits scanned by the API, how much at once, and what it answers."""

import time

import pytest
from starlette.testclient import TestClient

from infraaudit.questions.asked import ProjectRules
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror
from resources.history import History
from service.app import ServiceOptions, build_app
from service.workers.narrow_worker import MOST_WAITING, NarrowWorker
from tests.infraaudit.scans.made_scans import PretendMirror
from tests.service.conftest import SHAS, A, B

PEN = {"Authorization": "Bearer pen"}
API = "/api/v1/projects/shop/findings"


def _unreachable(_: Project) -> Mirror:
    raise RepositoryError("the repository of shop does not answer")


@pytest.fixture
def worker(history: History) -> NarrowWorker:
    def never() -> None:
        raise AssertionError

    return NarrowWorker(history, [Project("shop", "unused")], _unreachable, never)


@pytest.fixture
def client(history: History, worker: NarrowWorker) -> TestClient:
    rules = ProjectRules(mirror=PretendMirror(SHAS))
    options = ServiceOptions(["shop"], read_tokens=["eye"], write_tokens=["pen"], rules=lambda _: rules)
    return TestClient(build_app(history, options, narrowing=worker))


def test_it_takes_a_write_token(client: TestClient, history: History, worker: NarrowWorker) -> None:
    path = f"{API}/{A.fingerprint}/narrow"
    for given in ({}, {"Authorization": "Basic YTpwZW4="}):
        assert client.post(path, headers=given).status_code == 401
    assert client.post(path, headers={"Authorization": "Bearer eye"}).status_code == 403
    taken = client.post(path, headers=PEN)
    state = {"project": "shop", "finding": A.fingerprint, "max_scans": 40, "state": "waiting", "scans": 0, "reason": ""}
    assert (taken.status_code, taken.json()) == (202, state)
    # Where no token may write, nothing can be asked for; without a worker there is no such method.
    opened = TestClient(build_app(history, ServiceOptions(["shop"]), narrowing=worker))
    assert opened.post(path).status_code == 401
    assert TestClient(build_app(history, ServiceOptions(["shop"]))).post(path).status_code == 405


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{A.fingerprint}/narrow?max_scans=0", 400),
        (f"{A.fingerprint}/narrow?max_scans=100000", 400),
        (f"{A.fingerprint}/narrow?most=1", 400),
        (f"{'f' * 32}/narrow", 404),
        ("none/narrow", 404),
    ],
)
def test_what_is_no_such_finding_or_number_is_refused(client: TestClient, path: str, status: int) -> None:
    refused = client.post(f"{API}/{path}", headers=PEN)
    assert refused.status_code == status and refused.json()["error"]


def test_no_more_wait_than_a_few_and_each_once(client: TestClient, worker: NarrowWorker) -> None:
    for number in range(MOST_WAITING - 1):
        assert worker.ask("shop", f"{number}", 1)
    path = f"{API}/{A.fingerprint}/narrow"
    assert [client.post(path, headers=PEN).status_code for _ in range(3)] == [202] * 3
    refused = client.post(f"{API}/{B.fingerprint}/narrow", headers=PEN)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
    for number in range(MOST_WAITING - 1):
        worker.work(worker.ask("shop", f"{number}", 1))
    assert client.post(f"{API}/{B.fingerprint}/narrow", headers=PEN).status_code == 202


def test_how_it_ended_is_shown_where_the_unknown_is(client: TestClient) -> None:
    path = f"{API}/{A.fingerprint}/narrow"
    with client:
        assert "narrowing" not in client.get(path, headers=PEN).json()
        assert client.post(path, headers=PEN).status_code == 202
        deadline = time.monotonic() + 20
        while not (said := client.get(path, headers=PEN).json().get("narrowing", "")).startswith("failed"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert said == "failed: the repository of shop does not answer"


def test_the_document_describes_it(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json", headers=PEN).json()
    described = document["paths"]["/api/v1/projects/{project}/findings/{fingerprint}/narrow"]["post"]
    assert {"202", "401", "404", "503"} <= described["responses"].keys()
    assert [parameter["name"] for parameter in described["parameters"]] == ["project", "fingerprint", "max_scans"]
