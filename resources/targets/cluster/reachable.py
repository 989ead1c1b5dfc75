"""Where a release answers from this machine, if it does. Deliberately absent: whether it is healthy."""

import socket
import time
from collections.abc import Iterable
from typing import Any

from infraaudit_domain.errors import InfraAuditError
from resources.targets.cluster.connection import Cluster
from resources.targets.cluster.observe import service_address

_SECONDS = 5


def url_of(cluster: Cluster, namespace: str, documents: Iterable[Any]) -> str | None:
    """The URL of the first Service, where it answers from this machine."""
    for document in documents:
        if document["kind"] == "Service":
            try:
                address, port = service_address(cluster, namespace, document["metadata"]["name"])
            except InfraAuditError:  # A release is healthy even without an address to show.
                return None
            if address and _answers(address, port, _SECONDS):
                return f"http://{address}:{port}"
    return None


def _answers(address: str, port: int, seconds: float) -> bool:
    """Whether an address accepts connections; a refusal is retried, because a node needs a moment to route it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((address, port), timeout=2):
                return True
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        except OSError:  # This machine cannot reach the cluster's addresses.
            return False
