"""What of a commit is to be rendered before it is scanned: kustomizations and Helm charts, and the files that each reads.

Decided from the names in the tree and the parsed kustomizations alone, so that a result can be kept under a key of all
that it depends on. Deliberately absent: rendering (resources/checkov/rendering).
"""

import posixpath
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infraaudit_domain.kubernetes.kustomization import (
    FILE_NAMES,
    files,
    is_plain_transformer,
    kustomization_faults,
    patches,
    sources,
    transformers,
)
from infraaudit_domain.scans.expectation import chart_of, charts, is_hidden

MOST_LEVELS = 50
_MOST_REFERENCES = 500_000
"""That are followed in one tree."""
_COLLECTING = {"apiVersion", "kind", "metadata", "resources", "bases", "sortOptions", "buildMetadata"}
_RENDERED_BY = " (rendered by "


@dataclass(frozen=True, slots=True)
class Unit:
    """One kustomization or chart that is rendered by itself."""

    path: str
    """Its own file: a kustomization.yaml, or a Chart.yaml."""
    reads: frozenset[str] = frozenset()
    """Every file that its rendering depends on, its own among them."""
    patches: frozenset[str] = frozenset()
    """Those that are parts of objects, and not objects of their own."""
    made_of: frozenset[str] = frozenset()
    """The kustomizations that it includes, on all levels."""
    collects: tuple[str, ...] | None = None
    """The files whose documents it consists of, where it changes none of them."""
    fault: str = ""
    """Why it is not rendered."""

    @property
    def is_chart(self) -> bool:
        return posixpath.basename(self.path) == "Chart.yaml"

    @property
    def folder(self) -> str:
        """With a slash at its end, empty at the root."""
        return self.path[: -len(posixpath.basename(self.path))]


def as_rendered(resource: str, by: str) -> str:
    """The name of a resource as a kustomization makes it, beside the one in its own file.

    >>> as_rendered("Pod.default.web", "prod/kustomization.yaml")
    'Pod.default.web (rendered by prod/kustomization.yaml)'
    """
    return f"{resource}{_RENDERED_BY}{by})"


def rendered_by(resource: str) -> str | None:
    """The kustomization that makes a resource; None for one that is as its own file says."""
    if not resource.endswith(")"):
        return None
    return resource[:-1].partition(_RENDERED_BY)[2] or None


def kustomization_files(paths: Collection[str]) -> list[str]:
    """The kustomizations among a tree's paths that are none of a chart's templates."""
    found = [path for path in paths if posixpath.basename(path) in FILE_NAMES]
    folders = charts(paths) if found else frozenset[str]()
    return sorted(path for path in found if chart_of(path, folders) is None)


def chart_units(paths: Collection[str]) -> list[Unit]:
    """The charts of a tree that are no part of another chart, with all files below each."""
    folders = charts(paths)
    top = sorted(folder for folder in folders if not _is_inside_another(folder, folders))
    return [
        Unit(f"{folder}Chart.yaml", frozenset(path for path in paths if path.startswith(folder)))
        for folder in top
        if not is_hidden("kubernetes", f"{folder}Chart.yaml")
    ]


def _is_inside_another(folder: str, folders: Collection[str]) -> bool:
    at = folder.rfind("charts/", 0, -1)
    while at != -1:
        if folder[:at] in folders:
            return True
        at = folder.rfind("charts/", 0, at)
    return False


def transformer_files(documents: Mapping[str, object]) -> set[str]:
    """The files in which parsed kustomizations set up transformers."""
    return {
        posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        for path, document in documents.items()
        for name in transformers(document)
    }


def kustomization_units(
    documents: Mapping[str, object], settings: Mapping[str, Sequence[object]], paths: Collection[str], most_files: int
) -> list[Unit]:
    """The kustomizations that are rendered by themselves.

    ``documents`` holds each parsed, or the ValueError that says why it could not be; ``settings`` the documents of the
    files of their transformers.
    """
    own = {posixpath.dirname(path): path for path in sorted(documents, key=_precedence, reverse=True)}
    tree = _Tree(documents, settings, own, paths, most_files)
    return [tree.unit(path) for path in sorted(own.values()) if _stands_alone(path, documents[path])]


def _precedence(path: str) -> int:
    return FILE_NAMES.index(posixpath.basename(path))


def _stands_alone(path: str, document: object) -> bool:
    if is_hidden("kubernetes", path) or document is None:
        return False
    if not isinstance(document, dict):
        return True
    is_of_another_program = "spec" in document and "kustomize.config.k8s.io" not in str(document.get("apiVersion"))
    return document.get("kind") != "Component" and not is_of_another_program


class _FaultyError(Exception):
    """A kustomization that cannot be rendered, in words."""


@dataclass(slots=True)
class _Tree:
    documents: Mapping[str, object]
    settings: Mapping[str, Sequence[object]]
    own: Mapping[str, str]
    """The kustomization of each folder that has one."""
    paths: Collection[str]
    most_files: int
    followed: int = 0

    def unit(self, path: str) -> Unit:
        closure = _Closure()
        try:
            self._add(path, closure, ())
        except _FaultyError as error:
            return Unit(path, frozenset(closure.reads), frozenset(closure.patches), fault=str(error))
        made_of = frozenset(closure.made_of - {path})
        collects = tuple(closure.collects) if closure.collects is not None else None
        return Unit(path, frozenset(closure.reads), frozenset(closure.patches), made_of, collects)

    def _add(self, path: str, closure: "_Closure", above: tuple[str, ...]) -> None:
        """Everything that a kustomization reads. Raises _FaultyError."""
        closure.reads.add(path)
        if path in above:
            raise _FaultyError(f"{path} includes itself")
        if path in closure.made_of:  # its files are known; whether it may be included twice is for kustomize to say
            closure.collects = None
            return
        if len(above) >= MOST_LEVELS:
            raise _FaultyError(f"its kustomizations include each other more than {MOST_LEVELS} levels deep")
        document = self._judged(path)
        closure.made_of.add(path)
        if set(document) - _COLLECTING or document.get("kind") == "Component":
            closure.collects = None
        for name in sources(document):
            place = self._followed(path, name)
            if place in self.paths:
                closure.reads.add(place)
                if closure.collects is not None:
                    closure.collects.append(place)
            elif place in self.own:
                self._add(self.own[place], closure, (*above, path))
            else:
                raise _FaultyError(f"{path} refers to {name}, which is not in the commit or is a link")
        self._add_files(path, document, closure)
        if len(closure.reads) > self.most_files:
            raise _FaultyError(f"it is made of more than {self.most_files} files")

    def _add_files(self, path: str, document: Mapping[str, Any], closure: "_Closure") -> None:
        closure.reads |= {self._followed(path, name) for name in transformers(document)}
        closure.patches |= {self._followed(path, name) for name in patches(document)}
        for name in files(document):
            if (place := self._followed(path, name)) not in self.paths:
                raise _FaultyError(f"{path} refers to {name}, which is not in the commit or is a link")
            closure.reads.add(place)

    def _judged(self, path: str) -> Mapping[str, Any]:
        document = self.documents[path]
        if isinstance(document, ValueError):
            raise _FaultyError(f"{path} cannot be read: {document}")
        names = transformers(document)
        settings = [one for name in names for one in self.settings.get(self._followed(path, name), (None,))]
        judged = document
        if isinstance(document, dict) and names and all(map(is_plain_transformer, settings)):
            judged = {key: value for key, value in document.items() if key != "transformers"}
        if fault := next(kustomization_faults(judged), ""):
            raise _FaultyError(f"{path} {fault}")
        assert isinstance(document, dict)
        return document

    def _followed(self, path: str, name: str) -> str:
        """Where a name leads to from a kustomization. Raises _FaultyError."""
        self.followed += 1
        if self.followed > _MOST_REFERENCES:
            raise _FaultyError(f"the commit's kustomizations have more than {_MOST_REFERENCES} references")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        if place.startswith("../") or place == "..":
            raise _FaultyError(f"{path} refers to {name}, which leads out of the commit")
        return "" if place == "." else place


@dataclass(slots=True)
class _Closure:
    reads: set[str] = field(default_factory=set)
    patches: set[str] = field(default_factory=set)
    made_of: set[str] = field(default_factory=set)
    collects: list[str] | None = field(default_factory=list)
