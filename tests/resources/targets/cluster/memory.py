"""Objects kept in memory, behind as much of the dynamic client as the way back and the comparison use.

Real clusters are in tests/e2e; here is what has to happen between two requests.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from kubernetes.client.exceptions import ApiException

from infraaudit_domain.kubernetes.manifests import identity

Document = dict[str, Any]


def config(name: str, sha: str = "", version: int = 1, **more: Any) -> Document:
    """A ConfigMap; one of shop in production where a commit is named."""
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    if sha:
        metadata["labels"] = {"infraaudit/project": "shop"}
        metadata["annotations"] = {"infraaudit/environment": "production", "infraaudit/commit": sha}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata} | more


def refused(status: int, message: str = "no") -> ApiException:
    error = ApiException(status=status, reason=message)
    error.body = json.dumps({"message": message, "reason": "Invalid"})
    return error


@dataclass
class Memory:
    """A namespace; ``before_patch`` runs before each patch, and ``lost`` answers to patches do not arrive."""

    objects: dict[str, Document]
    before_patch: Callable[[Document], None] = lambda found: None
    lost: int = 0
    refuses: dict[str, int] = field(default_factory=dict)
    """Verbs that are refused, with the status."""

    @classmethod
    def of(cls, *documents: Document, **more: Any) -> "Memory":
        return cls({identity(one): copy.deepcopy(one) for one in documents}, **more)

    @property
    def resources(self) -> Any:
        return SimpleNamespace(get=lambda api_version, kind: _Kind(self, kind))


@dataclass
class _Kind:
    memory: Memory
    kind: str

    def get(self, name: str = "", **_: Any) -> Any:
        if not name:
            of_kind = [one for one in self.memory.objects.values() if one["kind"] == self.kind]
            return SimpleNamespace(to_dict=lambda: {"items": copy.deepcopy(of_kind)})
        return _answer(self._found(name))

    def delete(self, name: str, **_: Any) -> None:
        self._may("delete")
        self._found(name)
        del self.memory.objects[f"{self.kind}/{name}"]

    def server_side_apply(self, body: Document, name: str, **_: Any) -> Any:
        self._may("apply")
        found = self._found(name)
        return _answer({**found, **body, "metadata": found["metadata"] | body["metadata"]})

    def create(self, body: Document, **_: Any) -> Any:
        self._may("create")
        return _answer(body)

    def patch(self, body: list[Document], name: str, **_: Any) -> None:
        self._may("patch")
        found = self._found(name)
        self.memory.before_patch(found)
        changed = copy.deepcopy(found)
        for one in body:
            if one["path"] == "/metadata/resourceVersion" and one["value"] != found["metadata"]["resourceVersion"]:
                raise refused(409, "the object has been modified")
            _apply(changed, one)
        changed["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
        self.memory.objects[f"{self.kind}/{name}"] = changed
        if self.memory.lost:
            self.memory.lost -= 1
            raise refused(504, "the answer was lost")

    def _found(self, name: str) -> Document:
        try:
            return self.memory.objects[f"{self.kind}/{name}"]
        except KeyError:
            raise refused(404) from None

    def _may(self, verb: str) -> None:
        if status := self.memory.refuses.get(verb):
            raise refused(status, f"{verb} is refused")


def _answer(found: Document) -> Any:
    return SimpleNamespace(to_dict=lambda: copy.deepcopy(found))


def _apply(document: Any, one: Document) -> None:
    *way, last = [step.replace("~1", "/").replace("~0", "~") for step in one["path"].split("/")[1:]]
    for step in way:
        document = document[int(step) if isinstance(document, list) else step]
    place = int(last) if isinstance(document, list) else last
    if one["op"] == "remove":
        del document[place]
    else:
        document[place] = copy.deepcopy(one["value"])
