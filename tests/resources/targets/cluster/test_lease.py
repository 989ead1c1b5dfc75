"""A Lease after its holder stood still: it is held, taken, or not known to be held, and each is said."""

from collections.abc import Callable

import pytest

from infraaudit_domain.errors import ClusterError
from resources.targets.cluster.lease import DURATION_SECONDS, Lease
from tests.infraaudit.deploying.cluster_machine import Clock
from tests.resources.targets.cluster.client_line import Fault, connected
from tests.resources.targets.cluster.object_store import ObjectStore

NAME = "infraaudit-shop-production"
CHECK = 3
"""The first request of the first check: a read and a write came before, and a write follows it."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.install(monkeypatch)
    return clock


@pytest.fixture
def store(clock: Clock) -> ObjectStore:
    return ObjectStore(clock.date)


def lease(store: ObjectStore, holder: str, fault: Fault | None = None, meanwhile: Callable[[], object] = int) -> Lease:
    return Lease(connected(store, fault, meanwhile), "test", NAME, holder)


def take(store: ObjectStore) -> None:
    """Another machine takes it over, which it may once nothing was written for as long as the lease lasts."""
    lease(store, "b")._acquire(10_000, lambda words: None)


@pytest.mark.parametrize("fault", [None, Fault("409", CHECK + 1), Fault("lost", CHECK + 1), Fault("silence", CHECK)])
def test_who_stood_still_and_lost_nothing_goes_on(clock: Clock, store: ObjectStore, fault: Fault | None) -> None:
    own = lease(store, "a", fault)
    with own.held(60, print):
        clock.sleep(10 * DURATION_SECONDS)
        own.check()


def test_who_stood_still_and_was_replaced_changes_nothing_more(clock: Clock, store: ObjectStore) -> None:
    own = lease(store, "a")
    with own.held(60, print):
        clock.sleep(10 * DURATION_SECONDS)
        take(store)
        with pytest.raises(ClusterError, match="taken over"):
            own.check()
    assert store.objects[f"Lease/{NAME}"]["spec"]["holderIdentity"] == "b"


def test_who_is_replaced_between_a_read_and_a_write_of_the_check_notices(clock: Clock, store: ObjectStore) -> None:
    own = lease(store, "a", Fault("stop", CHECK), lambda: take(store))
    with own.held(60, print):
        clock.sleep(10 * DURATION_SECONDS)
        with pytest.raises(ClusterError, match="taken over"):
            own.check()


def test_silence_is_no_loss_and_no_leave_either(clock: Clock, store: ObjectStore) -> None:
    own = lease(store, "a", Fault("silence", CHECK, 10_000))
    with own.held(60, print):
        clock.sleep(10 * DURATION_SECONDS)
        with pytest.raises(ClusterError):
            own.check()
        assert not own.lost.is_set()
        own._api.api_client.rest_client.fault = None
        own.check()
