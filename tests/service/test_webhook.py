"""The webhook over real HTTP requests: whose pushes are accepted, what is stored, what is refused."""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from infraaudit_domain.dagster_names import run_tags
from infraaudit_domain.errors import DagsterUnavailableError, MalformedPushError
from infraaudit_domain.forge.payloads import MovedBranch, NotAPush, moved_branches
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from resources.dagster.api import DagsterApi, Started
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.forge.statuses import newest_statuses
from resources.history.pushes import Push, waiting_pushes
from service.app import ServiceOptions, build_app
from service.received import Received
from service.workers.push_worker import Launch, PushWorker
from tests.conftest import Repository
from tests.service.conftest import SECRET

AFTER, BEFORE = "a" * 40, "b" * 40
PUSH = {"ref": "refs/heads/main", "before": BEFORE, "after": AFTER}
BITBUCKET = {
    "push": {"changes": [{"new": {"type": "branch", "name": "main", "target": {"hash": AFTER}},
                          "old": {"type": "branch", "name": "main", "target": {"hash": BEFORE}}}]}
}  # fmt: skip


def post(client: TestClient, payload: Any, forge: str = "plain", secret: str = SECRET, **extra: str) -> Any:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "github": {"X-GitHub-Event": "push", "X-GitHub-Delivery": "1", "X-Hub-Signature-256": f"sha256={digest}"},
        "gitea": {
            "X-Gitea-Event": "push",
            "X-GitHub-Event": "push",
            "X-Gitea-Delivery": "1",
            "X-Gitea-Signature": digest,
        },
        "gitlab": {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret, "X-Gitlab-Event-UUID": "1"},
        "bitbucket": {"X-Event-Key": "repo:push", "X-Hub-Signature": f"sha256={digest}", "X-Request-UUID": "1"},
        "plain": {"X-InfraAudit-Signature": f"sha256={digest}"},
    }[forge]
    return client.post("/webhooks/shop", content=body, headers=headers | extra)


def waiting(received: Received, history: History) -> list[Push]:
    received.move_to(history)
    return waiting_pushes(history, "shop")


@pytest.mark.parametrize("forge", ["github", "gitea", "gitlab", "bitbucket", "plain"])
def test_a_signed_push_is_stored_once(client: TestClient, received: Received, history: History, forge: str) -> None:
    payload = BITBUCKET if forge == "bitbucket" else PUSH
    first, again = post(client, payload, forge), post(client, payload, forge)
    assert (first.status_code, first.json()["state"]) == (202, "stored")
    assert (again.status_code, again.json()["state"]) == (202, "known")
    (push,) = waiting(received, history)
    assert (post(client, payload, forge).json()["state"], len(waiting(received, history))) == ("known", 1)
    assert (push.forge, push.branch, push.before, push.after) == (forge, "main", BEFORE, AFTER)


@pytest.mark.parametrize("forge", ["github", "gitea", "gitlab", "bitbucket", "plain"])
def test_a_forged_push_is_refused_and_counted(
    client: TestClient, received: Received, history: History, forge: str
) -> None:
    assert post(client, PUSH, forge, secret="wrong").status_code == 401
    assert client.post("/webhooks/shop", json=PUSH).status_code == 401
    assert not waiting(received, history)
    assert 'infraaudit_webhook_rejected_total{reason="signature"} 2.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b"[" * 100_000, 400),
        ({"ref": {"deep": 1}, "after": AFTER}, 400),
        (PUSH | {"x": json.loads("[" * 100 + "]" * 100)}, 400),
        (PUSH | {"ref": "refs/heads/--upload-pack=evil"}, 400),
        (PUSH | {"ref": "refs/heads/a\nb"}, 400),
        (PUSH | {"ref": "refs/heads/../../etc"}, 400),
        (PUSH | {"after": "HEAD"}, 400),
        (PUSH | {"before": 7}, 400),
        (PUSH | {"ref": "refs/notes/commits"}, 200),
        (PUSH | {"ref": "refs/pull/7/head"}, 200),
        (PUSH | {"ref": "refs/merge-requests/7/head"}, 200),
        (PUSH | {"ref": "refs/changes/01/1/1"}, 200),
        (PUSH | {"after": "0" * 40}, 200),
        (PUSH | {"ref": "refs/tags/v1"}, 200),
    ],
)
def test_what_is_no_push_of_a_branch_is_not_stored(
    client: TestClient, received: Received, history: History, payload: Any, status: int
) -> None:
    answer = post(client, payload)
    assert answer.status_code == status
    assert answer.json().get("error") or answer.json().get("reason")
    assert not waiting(received, history)


def test_other_events_projects_and_methods(client: TestClient) -> None:
    assert post(client, {"zen": "…"}, "github", **{"X-GitHub-Event": "ping"}).json()["reason"] == "ping"
    assert client.post("/webhooks/other", json=PUSH).status_code == 404
    assert client.get("/webhooks/shop").status_code == 405


@given(st.recursive(st.none() | st.text() | st.integers(), lambda s: st.lists(s) | st.dictionaries(st.sampled_from(
    ["ref", "after", "before", "push", "changes", "new", "old", "target", "hash", "name", "type"]), s)))  # fmt: skip
def test_no_payload_breaks_the_parser(payload: Any) -> None:
    for forge, headers in (("plain", {}), ("bitbucket", {"x-event-key": "repo:push"})):
        try:
            found = moved_branches(forge, headers, payload)
        except MalformedPushError:
            continue
        assert isinstance(found, NotAPush) or all(isinstance(one, MovedBranch) for one in found)


class RecordingDagster(DagsterApi):
    """Stands in for a webserver: records what would be launched, or does not answer."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")
        self.launched: list[str] = []
        self.answers = True

    def launch(self, job: str, partitions: str, partition: str, run_key: str, tags: Any) -> Started:
        if not self.answers:
            raise DagsterUnavailableError("does not answer")
        self.launched.append(run_key)
        return Started("run", "QUEUED")


@pytest.mark.parametrize("forge", ["github", "gitea", "gitlab", "bitbucket", "plain"])
def test_an_empty_secret_signs_nothing(history: History, received: Received, forge: str) -> None:
    client = TestClient(build_app(history, ServiceOptions(["shop"], {"shop": [""]}), received=received))
    assert post(client, PUSH, forge, secret="").status_code == 401
    assert not waiting(received, history)


def test_every_commit_of_a_push_is_launched_when_dagster_is_back(
    client: TestClient, received: Received, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(tmp_path / "shop")
    shas = [repository.write({"a": str(n)}, f"commit {n}") for n in range(3)]
    forge = Forge(ForgeKind.GITHUB, "https://api.github.com", "a/shop")
    project = Project("shop", str(repository.path), forge=forge, audit_only=True)
    dagster, mirror = RecordingDagster(), repository.mirror()
    launch = Launch(project, "shop_pipeline", "shop_commits", "shop_commits", lambda sha: f"shop:{sha}", run_tags)
    worker = PushWorker(history, received, {"shop": launch}, lambda _: mirror, dagster)
    post(client, {"ref": "refs/heads/main", "before": shas[0], "after": shas[2]})
    dagster.answers = False
    worker.take_in()
    assert worker.process("shop") == 0
    shown = {(row["sha"], row["context"]) for row in newest_statuses(history, "shop", 9)}
    assert shown == {(sha, "infraaudit/shop/scan") for sha in shas[1:]}, "shown before Dagster is back"
    assert waiting(received, history)[0].attempts == 1
    dagster.answers = True
    monkeypatch.setattr("time.monotonic", lambda: 1e12)
    worker.take_in()
    assert worker.process("shop") == 1
    assert dagster.launched == [f"shop:{sha}" for sha in shas[1:]]
    assert not waiting(received, history)


def test_a_commit_that_the_repository_does_not_have_fails_for_good(
    client: TestClient, received: Received, history: History, tmp_path: Path
) -> None:
    repository = Repository(tmp_path / "shop")
    repository.write({"a": "1"}, "one")
    mirror = repository.mirror()
    launch = Launch(Project("shop", ""), "job", "commits", "sensor", str, run_tags)
    worker = PushWorker(history, received, {"shop": launch}, lambda _: mirror, RecordingDagster())
    post(client, PUSH)
    worker.take_in()
    assert worker.process("shop") == 1
    assert not waiting(received, history)
    labels = 'infraaudit_webhook_deliveries_total{outcome="failed",project="shop"} 1.0'
    assert labels in client.get("/metrics").text


def test_it_stops_though_a_push_comes_at_the_same_moment(received: Received, history: History) -> None:
    worker = PushWorker(history, received, {}, lambda project: Mirror("", Path(project.name)), RecordingDagster())

    async def stops() -> bool:
        task = asyncio.create_task(worker.run())
        await asyncio.sleep(0.5)  # It has looked once by then, and waits.
        worker.wake()
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        return task in done

    # Not asyncio.run, which would wait for a task that does not end.
    assert asyncio.new_event_loop().run_until_complete(stops())
