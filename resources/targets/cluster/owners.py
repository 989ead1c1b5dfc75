"""Whose the objects of a release are, asked before anything is applied: what exists and is not ours refuses it.

Deliberately absent: what belongs to whom by its marks (infraaudit_domain/kubernetes/ownership.py), and applying.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from infraaudit_domain.errors import RejectedByClusterError, excerpt
from infraaudit_domain.kubernetes.manifests import Document, identity
from infraaudit_domain.kubernetes.ownership import handed_over, owner_of
from resources.targets.cluster.connection import REFUSED_SECONDS, REQUEST_SECONDS, retried

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass
class Claim:
    """What is known of a release's objects before it is applied."""

    refused: list[str] = field(default_factory=list)
    """Why it is not applied at all."""
    adopted: set[str] = field(default_factory=set)
    """Those of somebody else (``Kind/name``) that the configuration lets the project take over."""
    former: list[Document] = field(default_factory=list)
    """Those that a former version of InfraAudit applied under one name for all projects."""
    live: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """What is there under each name (``Kind/name``); None where nothing is."""


def claim(
    api: Any, namespace: str, documents: Iterable[Document], project: str, environment: str, adopt: Iterable[str]
) -> Claim:
    """Ask for each object of a release. Raises RejectedByClusterError for a name that leads to another object."""
    found, allowed = Claim(), frozenset(adopt)
    release = list(documents)
    for document in release:
        checked_name(document)
    end = time.monotonic() + REFUSED_SECONDS
    for document in release:
        live = found.live[identity(document)] = _read_patiently(api, namespace, document, end)
        if live is None:
            continue
        owner, who = owner_of(live), identity(document)
        if not owner.is_of(project, environment) and who not in allowed:
            found.refused.append(
                f"{who} is there, and not of {project} in {environment}: {owner}. If a release may take it over, list it "
                f"in `adopt` of the project: adopt: [{who}]"
            )
            continue
        if not owner.is_of(project, environment):
            found.adopted.add(who)
        if handed_over(live["metadata"].get("managedFields") or [], project):
            found.former.append(document)
    return found


def _read_patiently(api: Any, namespace: str, document: Document, end: float) -> dict[str, Any] | None:
    while True:
        try:
            return read_object(api, namespace, document)
        except RejectedByClusterError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def hand_over(api: Any, namespace: str, documents: Iterable[Document], project: str, ask: Callable[[], None]) -> None:
    """Let the project's own field manager have what our former one applied; nothing else of the objects changes.

    ``ask`` is called before each change, and raises where another machine delivers by now.
    """
    for document in documents:
        change_object(
            api, namespace, document, f"taking {identity(document)} over", partial(_handed_over, project, ask)
        )


def _handed_over(project: str, ask: Callable[[], None], live: dict[str, Any]) -> list[dict[str, Any]]:
    managed = handed_over(live["metadata"].get("managedFields") or [], project)
    if managed is None:
        return []
    ask()
    return [{"op": "replace", "path": "/metadata/managedFields", "value": managed}]


def change_object(
    api: Any,
    namespace: str,
    document: Document,
    doing: str,
    change: Callable[[dict[str, Any]], list[dict[str, Any]]],
    **options: Any,
) -> None:
    """Send the JSON patch that ``change`` makes of what is there, if anything.

    It is made anew from a new look where somebody was quicker or the answer was lost: a patch by positions that is sent
    twice would hit the next entry of a list.
    """

    def attempt() -> None:
        live = _get(api, namespace, document)
        patch = change(live) if live is not None else []
        if live is None or not patch:
            return
        # The server refuses it where somebody was quicker.
        seen = {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}
        api.resources.get(api_version=document["apiVersion"], kind=document["kind"]).patch(
            body=[seen, *patch],
            name=checked_name(document),
            namespace=namespace,
            content_type="application/json-patch+json",
            _request_timeout=REQUEST_SECONDS,
            **options,
        )

    retried(doing, attempt)


def read_object(api: Any, namespace: str, document: Document) -> dict[str, Any] | None:
    """What is there under a document's kind and name; None where nothing is."""
    return retried(f"reading {identity(document)}", lambda: _get(api, namespace, document))


def checked_name(document: Document) -> str:
    """The name under which an object is asked for: it becomes part of a URL. Raises RejectedByClusterError."""
    name = document["metadata"]["name"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RejectedByClusterError(f"{excerpt(str(name), 80)!r} is no name of an object. Correct the manifest.")
    return name


def _get(api: Any, namespace: str, document: Document) -> dict[str, Any] | None:
    from kubernetes.client.exceptions import ApiException
    from kubernetes.dynamic.exceptions import ResourceNotFoundError

    try:
        resource = api.resources.get(api_version=document["apiVersion"], kind=document["kind"])
    except ResourceNotFoundError:  # There is none of a kind that the cluster does not have (yet).
        return None
    try:
        answer = resource.get(name=checked_name(document), namespace=namespace, _request_timeout=REQUEST_SECONDS)
    except ApiException as error:
        if error.status == 404:
            return None
        raise
    return dict(answer.to_dict())
