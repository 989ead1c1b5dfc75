"""Connect to a cluster, and turn what its client raises into our errors.

Deliberately absent: changing anything in the cluster (target.py).
"""

import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from infraaudit_domain.errors import (
    ClusterError,
    ClusterUnavailableError,
    InfraAuditError,
    RejectedByClusterError,
    excerpt,
)
from infraaudit_domain.kubernetes.refusals import advice, in_words

_NONE = advice(500, "")
CONNECT_SECONDS = 3
REQUEST_SECONDS = 30
REFUSED_SECONDS = 5
"""An API server that has just started refuses requests until it has read its tokens and roles."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that answered."""

    client: Any
    """The official ApiClient."""
    context: str
    version: str
    verified: bool
    """Whether the API server's certificate is verified."""


def connect(kubeconfig: Path | None = None, context: str | None = None) -> Cluster:
    """The cluster of a kubeconfig's context.

    Raises ClusterUnavailableError within seconds where none answers, ClusterError where one accepts the connection and
    is too slow, and RejectedByClusterError where one rejects our login: neither an expired login nor a busy API server
    must look like a machine without a cluster.
    """
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import ReadTimeoutError

    origin = f"{_path(kubeconfig)}{f' (context {context})' if context else ''}"
    try:
        settings, name = _settings(kubeconfig, context)
        settings.retries = False
        if not settings.verify_ssl:
            _silence_warnings(settings.host)
        api = client.ApiClient(settings)
        version = client.VersionApi(api).get_code(_request_timeout=CONNECT_SECONDS).git_version
    except ApiException as error:
        if error.status == 401:
            raise _of_response(f"connecting to the cluster of {origin}", error) from error
        if error.status != 403:
            raise _unavailable(origin, error) from error
        version = "unknown"  # A hardened cluster hides its version; the first request shows whether we may use it.
    except ReadTimeoutError as error:  # Something accepts connections: this machine has a cluster.
        raise _of_silence(f"connecting to the cluster of {origin}", error) from error
    except Exception as error:  # The client raises its own, urllib3's and yaml's errors here.
        raise _unavailable(origin, error) from error
    settings.retries = _patience()
    return Cluster(client.ApiClient(settings), name, version, settings.verify_ssl)


def _silence_warnings(url: str) -> None:
    """The kubeconfig disables verification, and the doctor reports that; urllib3 would warn at every request."""
    from urllib3.exceptions import InsecureRequestWarning

    host = re.escape(repr(urlsplit(url).hostname))
    warnings.filterwarnings("ignore", f"Unverified HTTPS request is being made to host {host}", InsecureRequestWarning)


def _patience() -> Any:
    """Retry single requests to a busy API server, because the client's discovery makes many.

    Every request that we make may be repeated. A 500 is not among them: old servers answer schema faults with it.
    """
    from urllib3.util.retry import Retry

    return Retry(
        total=3,
        connect=3,
        read=1,
        backoff_factor=0.3,
        status_forcelist=(429, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
    )


def _path(kubeconfig: Path | None) -> str:
    return str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")


def _settings(kubeconfig: Path | None, context: str | None) -> tuple[Any, str]:
    from kubernetes import client, config

    settings = client.Configuration()
    if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG"):
        config.load_incluster_config(client_configuration=settings)
        return settings, "in-cluster"
    if not any(Path(part).is_file() for part in _path(kubeconfig).split(os.pathsep)):
        raise FileNotFoundError("there is no such file")
    _, current = config.list_kube_config_contexts(_path(kubeconfig))
    config.load_kube_config(_path(kubeconfig), context, client_configuration=settings)
    return settings, context or current["name"]


def _unavailable(origin: str, error: Exception) -> ClusterUnavailableError:
    return ClusterUnavailableError(
        f"No Kubernetes API answers for {origin}: {excerpt(str(error), 200) or type(error).__name__}. "
        "Set KUBECONFIG, or deploy to containers instead."
    )


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the client's errors into ours: those that a retry may resolve, and refusals of the API server."""
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
        raise _of_silence(doing, error) from error


def _of_silence(doing: str, error: Any) -> ClusterError:
    from urllib3.exceptions import ReadTimeoutError

    cause = getattr(error, "reason", error)
    if isinstance(cause, ReadTimeoutError):
        return ClusterError(f"{doing}: the API server is too slow ({excerpt(str(cause), 200)}).")
    return ClusterError(f"{doing}: the API server does not answer ({excerpt(str(error), 200)}).")


def _of_response(doing: str, error: Any) -> InfraAuditError:
    body = in_words(_status(error), str(error.reason or error.body))
    # Kubernetes before 1.21 answers a schema error of an apply with 500; retrying that cannot help.
    schema_fault = error.status == 500 and "failed to create typed patch object" in body
    # 410 means that the server dropped the start of a continued list; a new request returns it.
    if error.status == 409 and not _is_about_fields(error) and "being terminated" not in body:
        return ClusterError(f"{doing}: somebody else changed it at the same time (409): {body}")
    if error.status in (408, 410, 429, 500, 502, 503, 504) and not schema_fault:
        why = advice(error.status, body)
        return ClusterError(
            f"{doing}: the API server answered {error.status}: {body}{'' if why == _NONE else f' {why}'}"
        )
    return RejectedByClusterError(
        f"{doing}: the API server refused it ({error.status}): {body} {advice(error.status, body)}"
    )


def _is_about_fields(error: Any) -> bool:
    """Whether a conflict is with the owner of a field, which lasts, and not with a concurrent write, which is over."""
    causes = (_status(error).get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "FieldManagerConflict" for cause in causes)


def _status(error: Any) -> dict[str, Any]:
    """The Status object in which the API server gives its reason; empty where something else answered."""
    import json

    try:
        status = json.loads(error.body)
    except (TypeError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


_Result = TypeVar("_Result")


def retried(doing: str, request: Callable[[], _Result], *, pauses: Sequence[float] = (0.5, 1, 2)) -> _Result:
    """The answer to an idempotent request, which is repeated after a pause where that can help."""
    for pause in pauses:
        try:
            with translated(doing):
                return request()
        except ClusterError:
            time.sleep(pause)
    with translated(doing):
        return request()
