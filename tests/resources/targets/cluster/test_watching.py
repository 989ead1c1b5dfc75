"""Watching a rollout: what is a failure of it, and what only of the API server, by statuses that the test sets."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from infraaudit_domain.errors import ClusterError, InfraAuditError, RejectedByClusterError
from infraaudit_domain.kubernetes.rollout import JobStatus, Judgement, PodStatus, WorkloadStatus
from resources.targets.cluster import observe
from resources.targets.cluster.connection import Cluster
from resources.targets.cluster.watching import Watch

WEB = {"kind": "Deployment", "metadata": {"name": "web"}}
MIGRATE = {"kind": "Job", "metadata": {"name": "migrate"}}
DONE = WorkloadStatus("web", 1, 1, desired=1, updated=1, available=1, total=1)
BUSY = WorkloadStatus("web", 1, 1, desired=1, updated=1, available=0, total=1)
AWAY, REFUSED = ClusterError("no answer"), RejectedByClusterError("not yet")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def watched(monkeypatch: pytest.MonkeyPatch, name: str, *answers: Any) -> Watch:
    """One whose questions are answered in turn, the last for ever."""

    def ask() -> Iterator[Any]:
        yield from answers
        while True:
            yield answers[-1]

    turn = ask()

    def answer(*_: Any) -> Any:
        given = next(turn)
        if isinstance(given, InfraAuditError):
            raise given
        return given

    monkeypatch.setattr(observe, name, answer)
    return Watch(Cluster(None, "test", "v1.30.0", True), "x", "1" * 40, [WEB if name == "status_of" else MIGRATE], 60)


def held(watch: Watch, deadline: float = 30) -> Judgement:
    return watch.hold(3, deadline, lambda line: None)


def of(status: WorkloadStatus, restarts: int = 0) -> tuple[WorkloadStatus, list[PodStatus]]:
    return status, [PodStatus("p", "c", uid="1", restarts=restarts)]


@pytest.mark.parametrize("passing", [of(BUSY), AWAY, REFUSED])
def test_what_passes_during_a_soak_fails_nothing(monkeypatch: pytest.MonkeyPatch, passing: Any) -> None:
    watch = watched(monkeypatch, "status_of", of(DONE, 4), of(DONE, 4), *[passing] * 6, of(DONE, 4))
    assert held(watch).state == "available"


def test_old_restarts_do_not_count_where_the_first_look_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(watched(monkeypatch, "status_of", AWAY, AWAY, of(DONE, 4))).state == "available"
    again = held(watched(monkeypatch, "status_of", AWAY, AWAY, of(DONE, 4), of(DONE, 4), of(DONE, 5)))
    assert again.state == "failed" and "was restarted" in again.reason


def test_what_stays_away_after_its_soak_fails_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    late = held(watched(monkeypatch, "status_of", of(DONE), of(DONE), of(BUSY)))
    assert late.state == "failed" and "its time is up" in late.reason and time.monotonic() >= 33
    with pytest.raises(RejectedByClusterError):
        held(watched(monkeypatch, "status_of", REFUSED), time.monotonic() + 30)


def test_a_job_that_is_gone_has_failed_unless_its_end_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = JobStatus("migrate", gone=True), list[PodStatus]()
    watch = watched(monkeypatch, "status_of_job", (JobStatus("migrate", active=1), []), gone)
    lost = watch.wait([MIGRATE], 30, lambda line: None)
    assert lost.state == "failed" and "ttlSecondsAfterFinished of at least 60" in lost.reason
    watch = watched(monkeypatch, "status_of_job", (JobStatus("migrate", complete=True), []), gone)
    assert [watch.wait([MIGRATE], 60, lambda line: None).state for _ in range(2)] == ["available"] * 2
