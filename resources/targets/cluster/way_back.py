"""Take back a release that failed: what it made is removed, what it changed is restored, the rest stays.

What is deployed again is restored by being applied (target.py); here is what no longer belongs to it. Claims hold data,
so a person deletes them. Deliberately absent: deciding on a rollback.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.kubernetes.fields import mapping
from infraaudit_domain.kubernetes.manifests import Document, identity
from infraaudit_domain.kubernetes.ownership import owner_of
from resources.targets.cluster.applying import Live, remove
from resources.targets.cluster.lease import Lease
from resources.targets.cluster.owners import change_object, read_object

HOLD_DATA = frozenset({"PersistentVolumeClaim", "Namespace", "CustomResourceDefinition"})
_OF_THE_SERVER = frozenset({"apiVersion", "kind", "metadata", "status"})


@dataclass(frozen=True)
class WayBack:
    """The inverse of one release; ``found`` is what it met."""

    api: Any
    namespace: str
    failed: Release
    found: Live
    adopt: Collection[str] = ()
    """What belonged to others and may be taken over (``Kind/name``): it is never removed."""
    lease: Lease | None = None

    def go(self, brought: Iterable[Document], stays: frozenset[str]) -> list[str]:
        """Undo the documents that are not among those that stay (``Kind/name``); a line for each that was touched, or
        could not be."""
        lines = []
        for document in reversed(list(brought)):
            name = identity(document)
            if name not in stays or document["kind"] == "Job":
                try:
                    lines.append(self._undo(document, name))
                except InfraAuditError as error:
                    lines.append(f"{name} could not be taken back: {error}")
        return [line for line in lines if line]

    def _undo(self, document: Document, name: str) -> str:
        if self.lease is not None:
            self.lease.check()
        if name not in self.found and not self.failed.resumes:  # The release never came as far as to look at it.
            return ""
        now, before = read_object(self.api, self.namespace, document), self.found.get(name)
        if now is None or not self.is_of_the_failed(now):
            return ""
        same = before is not None and _uid(before) == _uid(now)
        if document["kind"] == "Job" and same:  # It ran before, and nothing of it can be changed.
            return ""
        is_of_an_earlier_try = self.failed.resumes and before is not None and self.is_of_the_failed(before)
        if same and before is not None and (name in self.adopt or not is_of_an_earlier_try):
            self._restore(document, before)
            return f"{name} is as it was before"
        if name in self.adopt:
            return f"{name} stays: it is one that the project may adopt"
        if document["kind"] in HOLD_DATA:
            return f"{name} was brought by it and stays: it may hold data"
        remove(self.api, self.namespace, document)
        return f"{name} was brought by it and is removed"

    def is_of_the_failed(self, found: dict[str, Any]) -> bool:
        """Whether the failed release wrote it last; what another machine has applied since is of another commit."""
        commit = mapping(mapping(found.get("metadata")).get("annotations")).get("infraaudit/commit")
        return owner_of(found).is_of(self.failed.project, self.failed.environment) and commit == self.failed.sha

    def _restore(self, document: Document, before: dict[str, Any]) -> None:
        for change in (_content, _managed):
            doing = f"restoring {identity(document)}"
            change_object(self.api, self.namespace, document, doing, partial(change, before))


def _content(before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = before["metadata"]
    parts = {name: value for name, value in before.items() if name not in _OF_THE_SERVER}
    content = [{"op": "add", "path": f"/{name}", "value": value} for name, value in parts.items()]
    content += [{"op": "remove", "path": f"/{name}"} for name in now.keys() - parts.keys() - _OF_THE_SERVER]
    for name in ("labels", "annotations"):
        content.append({"op": "add", "path": f"/metadata/{name}", "value": metadata.get(name) or {}})
    return content


def _managed(before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    managed = before["metadata"].get("managedFields") or []
    return [{"op": "replace", "path": "/metadata/managedFields", "value": managed}]


def _uid(found: dict[str, Any]) -> str:
    return str(mapping(found.get("metadata")).get("uid"))
