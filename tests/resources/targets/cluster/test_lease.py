"""When a Lease counts as ours: a conflict is looked at again, and silence is neither a loss nor a confirmation."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client import ApiClient

from infraaudit_domain.errors import ClusterError
from resources.targets.cluster import lease as module
from resources.targets.cluster.connection import Cluster
from resources.targets.cluster.lease import Lease
from tests.resources.targets.cluster.memory import refused


class Api:
    """One Lease; ``answers`` are the statuses of the next writes, and ``silent`` refuses every request."""

    def __init__(self) -> None:
        self.holder, self.version, self.silent = "us", 1, False
        self.answers: list[int] = []
        self.on_write: Callable[[], None] = lambda: None

    def read_namespaced_lease(self, *_: Any, _request_timeout: float) -> Any:
        assert _request_timeout <= 5
        if self.silent:
            raise refused(503)
        metadata = SimpleNamespace(resource_version=str(self.version), labels={})
        return SimpleNamespace(metadata=metadata, spec=SimpleNamespace(holder_identity=self.holder))

    def replace_namespaced_lease(self, name: str, namespace: str, body: Any, **_: Any) -> None:
        self.on_write()
        if self.answers:
            raise refused(self.answers.pop())
        self.holder, self.version = body["spec"]["holderIdentity"], self.version + 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module, "_now", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return now


@pytest.fixture
def lease(clock: list[float]) -> Lease:
    made = Lease(Cluster(ApiClient(), "test", "v1.30.0", True), "x", "infraaudit-shop-production", "us")
    made._api = Api()
    assert made._renew_once()
    clock[0] += 60
    return made


def test_a_conflict_is_read_again_and_a_taker_is_seen(lease: Lease) -> None:
    lease._api.answers = [409, 409]
    lease.check()
    lease._api.answers, lease._renewed = [409], 0.0
    lease._api.on_write = lambda: setattr(lease._api, "holder", "another")
    with pytest.raises(ClusterError, match="taken over"):
        lease.check()


def test_conflicts_without_end_confirm_nothing(lease: Lease) -> None:
    lease._api.answers = [409] * 3
    with pytest.raises(ClusterError, match="could not be confirmed"):
        lease.check()


def test_silence_loses_nothing_for_good(lease: Lease) -> None:
    lease._api.silent = True
    with pytest.raises(ClusterError, match="could not be confirmed"):
        lease.check()
    lease._api.silent = False
    lease.check()


def test_it_counts_as_renewed_from_before_the_request(lease: Lease, clock: list[float]) -> None:
    lease._api.on_write = lambda: clock.__setitem__(0, clock[0] + 15)
    before = clock[0]
    lease.check()
    assert lease._renewed == before
