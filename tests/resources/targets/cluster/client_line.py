"""The line between one deliverer and the object store: where requests fail, answers get lost, and processes die."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from kubernetes import client
from kubernetes.client import rest
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ProtocolError

from resources.targets.cluster.connection import Cluster
from tests.resources.targets.cluster.object_store import ObjectStore


class KilledError(BaseException):
    """The process is no more: nothing that it would do afterwards is done."""


@dataclass
class Fault:
    """What befalls the requests from number ``at`` on (1 is the first that concerns an object), ``times`` times."""

    what: str
    """``kill``, ``die`` (after the request was carried out), ``silence``, ``lost`` (carried out, no answer), a status, or
    ``stop``: the process stands still after it, until ``meanwhile`` is done."""
    at: int
    times: int = 1

    def hits(self, number: int) -> bool:
        return self.at <= number < self.at + self.times


@dataclass
class Answer:
    status: int
    data: Any
    reason: str = ""
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})

    def getheader(self, name: str, default: str | None = None) -> str | None:
        return self.headers.get(name.lower(), default)

    def getheaders(self) -> dict[str, str]:
        return self.headers


class Line(rest.RESTClientObject):  # type: ignore[misc]
    """Takes the place of the client's transport."""

    def __init__(self, store: ObjectStore, fault: Fault | None, meanwhile: Callable[[], object] = int) -> None:
        self.store, self.fault, self.meanwhile = store, fault, meanwhile
        self.calls, self.is_dead, self.thread = 0, False, threading.get_ident()

    def request(self, method: str, url: str, query_params: Any = None, headers: Any = None, body: Any = None,
                post_params: Any = None, _preload_content: bool = True, _request_timeout: Any = None) -> Any:  # fmt: skip
        path, content = urlsplit(url).path, (headers or {}).get("Content-Type", "")
        query = {name: str(value) for name, value in query_params or []}
        what = self._befalls(path)
        if what == "kill":
            self._die()
        if what == "silence":
            raise ProtocolError("Connection aborted.")
        if what.isdecimal():
            _raise_refused(int(what), {"message": f"the server says {what}", "reason": "Test"})
        status, found = self.store.answer(method, path, query, json.loads(json.dumps(body)) if body else None, content)
        if what == "die":
            self._die()
        if what == "lost":
            raise ProtocolError("Connection aborted.")
        if what == "stop":
            self.meanwhile()
        if status >= 400:
            _raise_refused(status, found)
        return Answer(status, json.dumps(found).encode())

    def _befalls(self, path: str) -> str:
        if self.is_dead:
            raise KilledError
        if "/namespaces/" not in path or threading.get_ident() != self.thread:  # What renews the lease.
            return ""
        self.calls += 1
        return self.fault.what if self.fault is not None and self.fault.hits(self.calls) else ""

    def _die(self) -> None:
        self.is_dead = True
        raise KilledError


def connected(store: ObjectStore, fault: Fault | None, meanwhile: Callable[[], object]) -> Cluster:
    """The real client on a line of its own."""
    settings = client.Configuration(host="https://object-store.test")
    api = client.ApiClient(settings)
    api.rest_client = Line(store, fault, meanwhile)
    return Cluster(api, "test", "v1.30.0", True)


def _raise_refused(status: int, body: Any) -> None:
    error = ApiException(status=status, reason=body.get("reason", ""))
    error.body = json.dumps(body).encode()
    error.headers = {}
    raise error
