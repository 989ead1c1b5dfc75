"""Which of the things that a repository holds its project uses, and why not the others.

Nothing is guessed: where two are equal none is taken, and what cannot be delivered for certain is only audited.
Deliberately absent: finding them (layout.py).
"""

import posixpath
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infraaudit_domain.errors import ConfigurationError, excerpt
from infraaudit_domain.projects import Paths
from infraaudit_domain.repositories.copied import context_of
from infraaudit_domain.repositories.layout import Part, Sight, Tree, is_manifest, sights

_USUAL = Paths()
_DOCKERFILES = (_USUAL.dockerfile, "Dockerfile", "Containerfile")
_TESTS = (_USUAL.tests, "tests", "test")
_MAIN_OVERLAYS = ("production", "prod")
_MOST_LISTED = 50
_MOST_FILES = 20
"""Manifests that are named one by one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody has chosen; empty where nothing."""

    dockerfile: str = ""
    tests: str = ""
    manifests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was found, and whether the project uses it."""

    part: Part
    path: str
    kind: str
    used: bool
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What was found, and the paths of the project that follow from it."""

    found: tuple[Found, ...]
    paths: Mapping[str, Any] = field(default_factory=dict)
    """Fields of ``paths`` in the projects file, without those that equal the defaults."""
    missing: tuple[str, ...] = ()
    """Why nothing can be deployed; then the repository is only audited."""


def select(tree: Tree, wanted: Wanted) -> Selection:
    """What a project of this tree uses. Raises ConfigurationError where what is wanted is not there."""
    seen = sights(tree)
    _check_wanted(tree, wanted)
    dockerfile = wanted.dockerfile or _one(_of(seen, Part.IMAGE), _DOCKERFILES)
    tests = wanted.tests or _tests(_of(seen, Part.TESTS))
    manifests = wanted.manifests or _manifests(tree, _of(seen, Part.MANIFESTS))
    paths: dict[str, Any] = {
        "dockerfile": dockerfile,
        "context": context_of(dockerfile, _text(tree, dockerfile), tree.files) if dockerfile else "",
        "tests": tests,
        "checkov_config": _file(seen, Part.SCAN, _USUAL.checkov_config),
        "manifests": manifests,
        "prometheus": _file(seen, Part.MONITORING, _USUAL.prometheus),
        "dashboard": _file(seen, Part.DASHBOARD, _USUAL.dashboard),
    }
    missing = tuple(_missing(seen, dockerfile, tests, manifests))
    used = {*_used(paths), (Part.SCAN, ".")}
    changed = {name: value for name, value in paths.items() if value and value != getattr(_USUAL, name)}
    equals = Counter(one.part for one in seen if not one.unusable and (one.part, one.path) != (Part.SCAN, "."))
    found = [_found(one, used, equals[one.part]) for one in seen]
    return Selection(tuple(_listed(found)), changed, missing)


def _listed(found: Sequence[Found]) -> Iterator[Found]:
    """What is used, and of the rest of each part so much as somebody reads."""
    for part in Part:
        of_part = sorted((one for one in found if one.part is part), key=lambda one: not one.used)
        yield from of_part[:_MOST_LISTED]
        if len(of_part) > _MOST_LISTED:
            more = f"{len(of_part) - _MOST_LISTED} more"
            yield Found(part, "", more, False, "not listed; any of them can be named")


def _used(paths: Mapping[str, Any]) -> set[tuple[Part, str]]:
    """The places in use: of manifests that are named one by one, their folder."""
    single = {
        Part.IMAGE: paths["dockerfile"],
        Part.TESTS: paths["tests"],
        Part.SCAN: paths["checkov_config"],
        Part.MONITORING: paths["prometheus"],
        Part.DASHBOARD: paths["dashboard"],
    }
    folders = (posixpath.dirname(path) or "." for path in paths["manifests"] if path.endswith((".yaml", ".yml")))
    return {*single.items(), *((Part.MANIFESTS, path) for path in (*paths["manifests"], *folders))}


def _check_wanted(tree: Tree, wanted: Wanted) -> None:
    for option, path in (
        ("--dockerfile", wanted.dockerfile),
        ("--tests", wanted.tests),
        *(("--manifests", path) for path in wanted.manifests),
    ):
        if path and not _is_there(tree, path):
            raise ConfigurationError(
                f"The repository has no {excerpt(path, 200)} for {option}: name a file or folder of it, from its root."
            )


def _is_there(tree: Tree, path: str) -> bool:
    below = f"{path.rstrip('/')}/"
    return path == "." or path in tree.files or any(one.startswith(below) for one in tree.files)


def _of(seen: Sequence[Sight], part: Part) -> list[Sight]:
    return [one for one in seen if one.part is part and not one.unusable]


def _one(seen: Sequence[Sight], usual: Sequence[str]) -> str:
    """The one that is there, or that has a usual name; nothing where several are equal."""
    paths = [one.path for one in seen]
    plain = [path for path in paths if posixpath.basename(path) in ("Dockerfile", "Containerfile")]
    alone = plain if len(plain) == 1 else paths if len(paths) == 1 else []
    return next((path for path in (*usual, *alone) if path in paths), "")


def _tests(seen: Sequence[Sight]) -> str:
    """A usual folder, else the only one."""
    paths = [one.path for one in seen]
    alone = paths if len(paths) == 1 else []
    return next((path for path in (*_TESTS, *alone) if path in paths), "")


def _manifests(tree: Tree, seen: Sequence[Sight]) -> tuple[str, ...]:
    if all(path in tree.files for path in _USUAL.manifests):
        return _USUAL.manifests
    overlays = [one.path for one in seen if one.kind == "kustomization"]
    main = [path for path in overlays if posixpath.basename(path) in _MAIN_OVERLAYS]
    for equal in (main, overlays):
        if len(equal) == 1:
            return tuple(equal)
    plain = [one.path for one in seen if one.kind != "kustomization"]
    return _files_of(tree, plain[0]) if len(plain) == 1 and not overlays else ()


def _files_of(tree: Tree, folder: str) -> tuple[str, ...]:
    """The folder where it holds manifests alone, else its manifests one by one; nothing where these are too many."""
    inside = "" if folder == "." else f"{folder}/"
    texts = {
        path: text for path, text in tree.texts.items() if path.startswith(inside) and path.endswith((".yaml", ".yml"))
    }
    good = sorted(path for path, text in texts.items() if is_manifest(path, text))
    if folder != "." and len(good) == len(texts):
        return (folder,)
    direct = tuple(path for path in good if (posixpath.dirname(path) or ".") == folder)
    return direct if len(direct) <= _MOST_FILES else ()


def _file(seen: Sequence[Sight], part: Part, usual: str) -> str:
    """The file of the usual name, else the only one; nothing where several are equal."""
    paths = [one.path for one in _of(seen, part) if one.path != "."]
    if usual in paths:
        return usual
    return paths[0] if len(paths) == 1 else ""


def _missing(seen: Sequence[Sight], dockerfile: str, tests: str, manifests: Sequence[str]) -> list[str]:
    several = {
        Part.IMAGE: "it has several Dockerfiles: choose one by --dockerfile, or list them all below images:",
        Part.TESTS: "it has tests in several folders: choose by --tests",
        Part.MANIFESTS: "it has several sets of manifests: choose by --manifests",
    }
    none = {
        Part.IMAGE: "it has no Dockerfile",
        Part.TESTS: "it has no tests in pytest",
        Part.MANIFESTS: "it has no manifests that can be delivered",
    }
    if not dockerfile and not _of(seen, Part.IMAGE):
        return [none[Part.IMAGE]]
    chosen = ((Part.IMAGE, dockerfile), (Part.TESTS, tests), (Part.MANIFESTS, manifests))
    return [(several if _of(seen, part) and part in several else none)[part] for part, value in chosen if not value]


def _text(tree: Tree, path: str) -> str:
    return tree.texts.get(path, b"").decode("utf-8", "surrogateescape")


def _found(one: Sight, used: Collection[tuple[Part, str]], equals: int) -> Found:
    is_used = (one.part, one.path) in used
    several = f"one of {equals}, of which a project uses one" if equals > 1 else ""
    return Found(one.part, one.path, one.kind, is_used, "" if is_used else one.unusable or several)
