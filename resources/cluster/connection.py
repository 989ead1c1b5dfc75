"""Connect to a cluster, and turn what its client raises into our errors.

Deliberately absent: changing anything in the cluster (target).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infraaudit_assets.domain.errors import (
    ClusterError,
    ClusterUnavailableError,
    InfraAuditError,
    RejectedByClusterError,
    excerpt,
)

CONNECT_SECONDS = 3
REQUEST_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that answered."""

    client: Any
    """The official ApiClient."""
    context: str
    version: str


def connect(kubeconfig: Path | None = None, context: str | None = None) -> Cluster:
    """The cluster of a kubeconfig's context. Raises ClusterUnavailableError, within seconds."""
    from kubernetes import client, config

    path = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
    try:
        if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG"):
            config.load_incluster_config()
            api, name = client.ApiClient(), "in-cluster"
        else:
            _, current = config.list_kube_config_contexts(path)
            api, name = config.new_client_from_config(path, context), context or current["name"]
        api.configuration.retries = 1
        version = client.VersionApi(api).get_code(_request_timeout=CONNECT_SECONDS)
    except Exception as error:  # The client raises its own, urllib3's and yaml's errors here.
        raise ClusterUnavailableError(
            f"No Kubernetes API answers for {path}{f' (context {context})' if context else ''}: "
            f"{excerpt(str(error), 200) or type(error).__name__}. Set KUBECONFIG, or deploy to containers instead."
        ) from error
    return Cluster(api, name, version.git_version)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the client's errors into ours: what a retry may mend, and what the API server refused."""
    from kubernetes.client.exceptions import ApiException
    from kubernetes.dynamic.exceptions import ResourceNotFoundError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise _of_response(doing, error) from error
    except ResourceNotFoundError as error:
        raise RejectedByClusterError(
            f"{doing}: the cluster knows no such kind. ({excerpt(str(error), 200)})"
        ) from error
    except HTTPError as error:
        raise ClusterError(f"{doing}: the API server does not answer ({excerpt(str(error), 200)}).") from error


def _of_response(doing: str, error: Any) -> InfraAuditError:
    body = excerpt(_message(error), 600)
    # Kubernetes before 1.21 answers a schema error of an apply with 500; retrying that cannot help.
    schema_fault = error.status == 500 and "failed to create typed patch object" in body
    if error.status in (429, 500, 502, 503, 504) and not schema_fault:
        return ClusterError(f"{doing}: the API server answered {error.status}: {body}")
    advice = {
        401: "The login has expired; renew the kubeconfig.",
        403: "Give InfraAudit's account that right (configs/kubernetes/role.yaml).",
        409: "Another field manager owns a field; settle who does.",
    }.get(error.status, "Mend the manifest.")
    return RejectedByClusterError(f"{doing}: the API server refused it ({error.status}): {body} {advice}")


def _message(error: Any) -> str:
    import json

    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason or error.body)
