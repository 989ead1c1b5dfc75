"""Compare what runs in a namespace with what was deployed: what was changed, what was added, what is gone, and by whom.

What an autoscaler scales and a Job that has finished are no drift. Deliberately absent: putting it right (target.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.errors import RejectedByClusterError
from infraaudit_domain.kubernetes.drift import Difference, difference, differences
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule
from infraaudit_domain.kubernetes.managed import Keys, additions, locate, removals
from infraaudit_domain.kubernetes.manifests import Document, identity
from resources.targets.cluster.applying import left_to_autoscalers
from resources.targets.cluster.connection import REQUEST_SECONDS, retried
from resources.targets.cluster.owners import checked_name, read_object


@dataclass(frozen=True)
class Comparison:
    """A namespace against the documents of a release, which the field manager ``manager`` applied."""

    api: Any
    namespace: str
    manager: str
    ignored: Sequence[IgnoreRule] = ()

    def differences(self, documents: Iterable[Document]) -> list[Difference]:
        """Every difference that counts."""
        release = list(documents)
        live = {identity(document): read_object(self.api, self.namespace, document) for document in release}
        left = left_to_autoscalers(self.api, self.namespace, release, live)
        found = []
        for original, document in zip(release, left, strict=True):
            running = live[identity(document)]
            differing = self._of(document, running, scaled=document is not original)
            found += [one for one in differing if not self._is_ignored(one, running)]
        return found

    def take_out(self, documents: Iterable[Document]) -> list[str]:
        """Remove what others added, which applying the documents again leaves; a line for each object."""
        release = list(documents)
        found = {identity(document): read_object(self.api, self.namespace, document) for document in release}
        left = left_to_autoscalers(self.api, self.namespace, release, found)
        lines = []
        for original, document in zip(release, left, strict=True):
            live = found[identity(document)]
            added = (keys for keys, _ in self._added(live, scaled=document is not original))
            taken = [keys for keys in added if not self._is_ignored_place(document, keys, live)]
            if live and (patch := removals(live, taken)):
                retried(f"taking out of {identity(document)}", lambda: self._patch(document, patch))  # noqa: B023 - at once
                lines.append(f"{identity(document)}: {', '.join(one['path'] for one in patch)} taken out")
        return lines

    def _of(self, document: Document, running: dict[str, Any] | None, *, scaled: bool) -> list[Difference]:
        name = identity(document)
        if running is None:
            return [] if document["kind"] == "Job" else differences(name, document, None)
        try:
            wanted = self._again(document)
        except RejectedByClusterError as error:
            if document["kind"] != "Job":
                raise
            return [Difference(name, "spec.template", "another one", str(error))]
        found = differences(name, wanted, running, self.manager)
        fresh: dict[str, Any] | None = None
        for keys, who in self._added(running, scaled=scaled):
            path, value = locate(running, keys) or ((), None)
            if any(path[: len(one.way)] == one.way for one in found):  # It was changed, and not added.
                continue
            fresh = fresh if fresh is not None else self._fresh(document)
            by_default = locate(fresh, keys)
            if by_default is None or by_default[1] != value:
                found.append(difference(name, path, by_default[1] if by_default else None, value, who))
        return found

    def _added(self, live: dict[str, Any] | None, *, scaled: bool) -> list[tuple[Keys, str]]:
        found = additions(live, self.manager) if live else []
        return [one for one in found if not (scaled and one[0] == ("f:spec", "f:replicas"))]

    def _is_ignored(self, one: Difference, running: dict[str, Any] | None) -> bool:
        return any(rule.covers(one.identity, running, one.way) for rule in self.ignored if one.way)

    def _is_ignored_place(self, document: Document, keys: Keys, live: dict[str, Any] | None) -> bool:
        path, _ = locate(live, keys) or ((), None)
        return any(rule.covers(identity(document), live, path) for rule in self.ignored)

    def _again(self, document: Document) -> dict[str, Any]:
        answer = retried(
            f"comparing {identity(document)}",
            lambda: self._resource(document).server_side_apply(
                body=document,
                name=checked_name(document),
                namespace=self.namespace,
                field_manager=self.manager,
                force_conflicts=True,
                dry_run="All",
                _request_timeout=REQUEST_SECONDS,
            ),
        )
        return dict(answer.to_dict())

    def _fresh(self, document: Document) -> dict[str, Any]:
        """What the server would make of a document where nothing is: its defaults are nobody's addition."""
        metadata = {key: value for key, value in document["metadata"].items() if key != "name"}
        trial = document | {"metadata": metadata | {"generateName": "infraaudit-trial-"}}
        answer = retried(
            f"comparing {identity(document)}",
            lambda: self._resource(document).create(
                body=trial, namespace=self.namespace, dry_run="All", _request_timeout=REQUEST_SECONDS
            ),
        )
        return dict(answer.to_dict())

    def _patch(self, document: Document, patch: list[dict[str, Any]]) -> None:
        self._resource(document).patch(
            body=patch,
            name=checked_name(document),
            namespace=self.namespace,
            content_type="application/json-patch+json",
            field_manager=self.manager,
            _request_timeout=REQUEST_SECONDS,
        )

    def _resource(self, document: Document) -> Any:
        return self.api.resources.get(api_version=document["apiVersion"], kind=document["kind"])
