"""One delivery at a time for an environment, across machines: a Kubernetes Lease, held while a rollout runs.

As in client-go, a lease counts as abandoned once it was unchanged for its whole duration by our own clock, so that
clocks need not agree. Deliberately absent: exclusion within a machine (the file lock in
infraaudit/deploying/deploy.py).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from infraaudit_domain.errors import ClusterError, InfraAuditError
from resources.targets.cluster.connection import Cluster, retried

DURATION_SECONDS = 20
_RENEW_SECONDS = 5
_REQUEST_SECONDS = 5
_TRIES = 3
"""How often a renewal is tried that conflicts with another write."""


class Lease:
    """A lease by name; ``holder`` identifies all processes that share one lock file."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, holder: str) -> None:
        from kubernetes import client

        self._api = client.CoordinationV1Api(cluster.client)
        self.namespace, self.name, self.holder = namespace, name, holder
        self.lost = threading.Event()
        self._renewed = 0.0
        """The moment before the last write that succeeded was sent."""

    @contextmanager
    def held(self, wait_seconds: float, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold the lease; ``lost`` is set if another takes it over meanwhile. Raises ClusterError after the wait."""
        self._acquire(time.monotonic() + wait_seconds, on_wait)
        done = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(done,), daemon=True)
        renewer.start()
        try:
            yield
        finally:
            done.set()
            renewer.join()
            self._release()

    def check(self) -> None:
        """Raises ClusterError once another machine has taken it over, or where that it is ours cannot be confirmed.

        It does not rest on the renewing thread alone: where the whole process stood still, both wake up at once.
        """
        is_fresh = _now() - self._renewed <= 2 * _RENEW_SECONDS
        confirmed = not self.lost.is_set() and (is_fresh or self._renew_once())
        if self.lost.is_set():
            raise ClusterError(f"{self.name} was taken over by another machine; run the step again.")
        if not confirmed:
            raise ClusterError(f"That {self.name} is still ours could not be confirmed; run the step again.")

    def _acquire(self, deadline: float, on_wait: Callable[[str], None]) -> None:
        seen, unchanged_since = "", time.monotonic()
        while True:
            found = self._read()
            if found is None:
                if self._create():
                    return
                continue
            if found.metadata.resource_version != seen:
                seen, unchanged_since = found.metadata.resource_version, time.monotonic()
                if self._is_free(found) is False:
                    on_wait(f"waiting for {found.spec.holder_identity}, which is delivering to {self.name}")
            if (self._is_free(found) or time.monotonic() - unchanged_since > DURATION_SECONDS) and self._take(found):
                return
            if time.monotonic() > deadline:
                raise ClusterError(f"{found.spec.holder_identity} still delivers to {self.name}; run the step again.")
            time.sleep(0.5)

    def _is_free(self, found: Any) -> bool:
        return found.spec.holder_identity in (None, "", self.holder)

    def _renew(self, done: threading.Event) -> None:
        while not done.wait(_RENEW_SECONDS):
            self._renew_once()

    def _renew_once(self) -> bool:
        """Whether it is ours for certain; silence of the API server says neither that it is nor that it was lost."""
        try:
            for _ in range(_TRIES):
                found = self._read()
                if found is None or found.spec.holder_identity != self.holder:
                    self.lost.set()
                    return False
                if self._take(found):
                    return True
        except InfraAuditError:
            return False
        return False

    def _read(self) -> Any | None:
        from kubernetes.client.exceptions import ApiException

        def read() -> Any:
            try:
                return self._api.read_namespaced_lease(self.name, self.namespace, _request_timeout=_REQUEST_SECONDS)
            except ApiException as error:
                if error.status == 404:
                    return None
                raise

        return retried(f"reading Lease/{self.name}", read)

    def _create(self) -> bool:
        body = {"metadata": {"name": self.name, "labels": {"app.kubernetes.io/managed-by": "infraaudit"}}}
        body["spec"] = self._spec(self.holder)
        return self._unless_conflict(
            "making", lambda: self._api.create_namespaced_lease(self.namespace, body, _request_timeout=_REQUEST_SECONDS)
        )

    def _take(self, found: Any) -> bool:
        return self._write(found, self.holder)

    def _release(self) -> None:
        try:
            found = self._read()
            if found is not None and found.spec.holder_identity == self.holder:
                self._write(found, "")
        except InfraAuditError:  # It expires by itself.
            return

    def _write(self, found: Any, holder: str) -> bool:
        metadata = {"name": self.name, "resourceVersion": found.metadata.resource_version}
        metadata["labels"] = found.metadata.labels
        body = {"metadata": metadata, "spec": self._spec(holder)}
        return self._unless_conflict(
            "writing",
            lambda: self._api.replace_namespaced_lease(
                self.name, self.namespace, body, _request_timeout=_REQUEST_SECONDS
            ),
        )

    def _spec(self, holder: str) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return {"holderIdentity": holder, "leaseDurationSeconds": DURATION_SECONDS, "renewTime": now}

    def _unless_conflict(self, doing: str, request: Callable[[], Any]) -> bool:
        """Whether the write succeeded; False where it conflicted with another write."""
        from kubernetes.client.exceptions import ApiException

        def attempt() -> bool:
            began = _now()
            try:
                request()
            except ApiException as error:
                if error.status == 409:
                    return False
                raise
            self._renewed = max(self._renewed, began)
            return True

        return retried(f"{doing} Lease/{self.name}", attempt)


def _now() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
