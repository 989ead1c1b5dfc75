"""Compare what runs in a namespace with what was deployed: what was changed, what was added, what is gone, and by whom.

What an autoscaler scales and a Job that has finished are no drift. Deliberately absent: putting it right (target.py).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.errors import InfraAuditError, RejectedByClusterError
from infraaudit_domain.kubernetes.drift import Difference, difference, differences
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule
from infraaudit_domain.kubernetes.managed import Keys, additions, locate, removals
from infraaudit_domain.kubernetes.manifests import Document, identity
from resources.targets.cluster.applying import left_to_autoscalers
from resources.targets.cluster.connection import REQUEST_SECONDS, retried
from resources.targets.cluster.owners import change_object, checked_name, read_object


@dataclass(frozen=True)
class Comparison:
    """A namespace against the documents of a release, which the field manager ``manager`` applied."""

    api: Any
    namespace: str
    manager: str
    ignored: Sequence[IgnoreRule] = ()
    ask: Callable[[], None] = lambda: None
    """Called before each change; raises where another machine delivers by now."""

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
        """Remove what others added, which applying the documents again leaves; a line for each object.

        What the cluster refuses is such a line too: a release does not fail by it.
        """
        release = list(documents)
        lines: list[str] = []
        try:
            found = {identity(document): read_object(self.api, self.namespace, document) for document in release}
            left = left_to_autoscalers(self.api, self.namespace, release, found)
        except InfraAuditError as error:
            return [f"What others added could not be taken out: {error}"]
        for original, document in zip(release, left, strict=True):
            try:
                taken = self._taken_out(document, scaled=document is not original)
            except InfraAuditError as error:
                lines.append(f"{identity(document)}: what others added could not be taken out: {error}")
                continue
            lines += [f"{identity(document)}: {', '.join(taken)} taken out"] if taken else []
        return lines

    def _taken_out(self, document: Document, *, scaled: bool) -> list[str]:
        taken: dict[str, None] = {}

        def change(live: dict[str, Any]) -> list[dict[str, Any]]:
            _, added = self._differing(document, live, scaled=scaled)
            ours = [keys for keys, _ in added if not self._is_ignored_place(document, keys, live)]
            patch = removals(live, ours)
            if patch:
                self.ask()
            taken.update(dict.fromkeys(one["path"] for one in patch))
            return patch

        doing = f"taking out of {identity(document)}"
        change_object(self.api, self.namespace, document, doing, change, field_manager=self.manager)
        return list(taken)

    def _of(self, document: Document, running: dict[str, Any] | None, *, scaled: bool) -> list[Difference]:
        name = identity(document)
        if running is None:
            return [] if document["kind"] == "Job" else differences(name, document, None)
        try:
            changed, added = self._differing(document, running, scaled=scaled)
        except RejectedByClusterError as error:
            if document["kind"] == "Job":
                return [Difference(name, "spec.template", "another one", str(error))]
            return [Difference(name, "applying it again", "accepted", f"refused: {error}")]
        return [*changed, *(one for _, one in added)]

    def _differing(
        self, document: Document, running: dict[str, Any], *, scaled: bool
    ) -> tuple[list[Difference], list[tuple[Keys, Difference]]]:
        """What was changed, and what was added. Raises RejectedByClusterError where it cannot be applied again."""
        name = identity(document)
        changed = differences(name, self._again(document), running, self.manager)
        changed = [one for one in changed if not (document["kind"] == "Job" and _is_our_note(one))]
        added: list[tuple[Keys, Difference]] = []
        fresh: dict[str, Any] | None = None
        for keys, who in self._added(running, scaled=scaled):
            path, value = locate(running, keys) or ((), None)
            if any(path[: len(one.way)] == one.way for one in changed):  # It was changed, and not added.
                continue
            fresh = fresh if fresh is not None else self._fresh(document)
            by_default = locate(fresh, keys)
            if by_default is None or by_default[1] != value:
                added.append((keys, difference(name, path, by_default[1] if by_default else None, value, who)))
        return changed, added

    def _added(self, live: dict[str, Any], *, scaled: bool) -> list[tuple[Keys, str]]:
        found = additions(live, self.manager)
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
        """What the server would make of a document where nothing is: its defaults are nobody's addition.

        None are known where it refuses that.
        """
        metadata = {key: value for key, value in document["metadata"].items() if key != "name"}
        trial = document | {"metadata": metadata | {"generateName": "infraaudit-trial-"}}
        try:
            answer = retried(
                f"comparing {identity(document)}",
                lambda: self._resource(document).create(
                    body=trial, namespace=self.namespace, dry_run="All", _request_timeout=REQUEST_SECONDS
                ),
            )
        except RejectedByClusterError:
            return {}
        return dict(answer.to_dict())

    def _resource(self, document: Document) -> Any:
        return self.api.resources.get(api_version=document["apiVersion"], kind=document["kind"])


def _is_our_note(one: Difference) -> bool:
    """A Job that another commit has run is not run again, and keeps that commit's marks."""
    return one.way[:2] == ("metadata", "annotations") and str(one.way[-1]).startswith("infraaudit/")
