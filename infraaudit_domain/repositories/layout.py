"""What a repository holds that the pipeline could use: images, tests, manifests, configuration, by name and text.

The repository is anybody's, so a text is searched and not parsed, in time linear in its length. Deliberately absent:
reading it, and which of several is taken (selection.py).
"""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from infraaudit_domain.projects import Paths
from infraaudit_domain.scans.documents import documents
from infraaudit_domain.scans.expectation import chart_of, charts, kind_of


class Part(StrEnum):
    """A part of the pipeline."""

    IMAGE = "image"
    TESTS = "tests"
    MANIFESTS = "manifests"
    SCAN = "scan"
    MONITORING = "monitoring"
    DASHBOARD = "dashboard"


@dataclass(frozen=True, slots=True)
class Sight:
    """Something that a part of the pipeline could use, or that looks like it."""

    part: Part
    path: str
    kind: str
    unusable: str = ""
    """Why the pipeline cannot use it; empty where it can."""


@dataclass(frozen=True, slots=True)
class Kustomization:
    """What a kustomization says of itself."""

    refers_to: frozenset[str] = frozenset()
    """Paths from the repository's root."""
    is_component: bool = False
    fault: str = ""
    """Why it is refused."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a commit: the names of all, the texts of those that are looked into."""

    files: frozenset[str]
    links: frozenset[str] = frozenset()
    texts: Mapping[str, bytes] = field(default_factory=dict)
    kustomizations: Mapping[str, Kustomization] = field(default_factory=dict)
    """By folder."""


_ASIDE = re.compile(r"(?:^|/)(?:vendor|node_modules|third_party|testdata|examples?|samples?|\.[^/]+)/", re.IGNORECASE)
_OF_TESTS = re.compile(r"(?:^|/)(?:tests?|e2e)/", re.IGNORECASE)
_NO_MAIN_PLACE = "among examples, tests or code of others: name it to take it"
# Searched, and not matched as a whole: that takes time quadratic in the length of a name.
_DOCKERFILE = re.compile(r"(?:^|.\.)(?:dockerfile|containerfile)(?:\Z|[._-].)", re.IGNORECASE)
_LONGEST_NAME = 255
"""Bytes, in the file systems of Linux."""
_USUAL = Paths()
_OF_A_FOLDER = "not at the root, so it may be of its folder alone: name it as checkov_config under paths to take it"
_PYTEST = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test)\.py")
_OTHER_TESTS = {
    "Go": re.compile(r".*_test\.go"),
    "JavaScript or TypeScript": re.compile(r".*\.(?:test|spec)\.[cm]?[jt]sx?"),
    "Java or Kotlin": re.compile(r"(?:.*/)?src/test/(?:java|kotlin)/.*"),
    "C#": re.compile(r".*Tests?\.cs"),
    "Rust": re.compile(r"(?:.*/)?tests/[^/]+\.rs"),
    "Ruby": re.compile(r".*_spec\.rb"),
    "Terraform": re.compile(r".*\.tftest\.hcl"),
}
_TESTS_FOLDER = re.compile(r"(.*?(?:^|/)tests?)/.*")
_MANIFESTS_FOLDER = re.compile(
    r"(.*?(?:^|/)(?:k8s|kube|kubernetes(?:-manifests)?|manifests?|deploy(?:ments?)?))/.*", re.IGNORECASE
)
_WORKLOAD = re.compile(
    rb"""^kind[ \t]*:[ \t]*["']?(?:Deployment|StatefulSet|DaemonSet|CronJob|Job|Pod)\b""", re.MULTILINE
)
_COMPOSE = re.compile(r"(?:docker-)?compose(?:[.-][^/]+)?\.ya?ml")
_CHECKOV = re.compile(r"\.?checkov(?:[_-]config)?\.ya?ml")
_PROMETHEUS_KEY = re.compile(rb"^(?:global|scrape_configs|rule_files)[ \t]*:", re.MULTILINE)
_YAML = (".yaml", ".yml")


def is_looked_into(path: str) -> bool:
    """Whether the text of a file of this name is needed."""
    return path.endswith((*_YAML, ".json", "/Kustomization")) or is_dockerfile(path) or path == "Kustomization"


def is_dockerfile(path: str) -> bool:
    name = posixpath.basename(path)
    is_ignoring = name.lower().endswith((".dockerignore", ".containerignore"))
    return len(name) <= _LONGEST_NAME and not is_ignoring and bool(_DOCKERFILE.search(name))


def sights(tree: Tree) -> tuple[Sight, ...]:
    """Everything of the tree that a part of the pipeline could use, or that looks like it, part by part."""
    found = (*_images(tree), *_tests(tree), *_manifests(tree), *_scanned(tree), *_monitoring(tree))
    return (*found, *_links(tree))


def _images(tree: Tree) -> Iterator[Sight]:
    for path in sorted(filter(is_dockerfile, tree.files)):
        yield Sight(Part.IMAGE, path, "Dockerfile", _NO_MAIN_PLACE if _is_aside(path) else "")


def _tests(tree: Tree) -> Iterator[Sight]:
    inside = [path for path in sorted(tree.files) if not _ASIDE.search(path)]
    folders = Counter(_folder(path, _TESTS_FOLDER) for path in inside if _PYTEST.fullmatch(path))
    for folder, count in folders.most_common():
        yield Sight(Part.TESTS, folder, f"pytest, {counted_files(count)}")
    for language, pattern in _OTHER_TESTS.items():
        if found := [path for path in inside if pattern.fullmatch(path)]:
            kind = f"{language}, {counted_files(len(found))}"
            yield Sight(Part.TESTS, posixpath.commonpath([posixpath.dirname(one) or "." for one in found]) or ".", kind,
                        "run by a command that you name: tests in its entry")  # fmt: skip


def _manifests(tree: Tree) -> Iterator[Sight]:
    of_charts = charts(tree.files)
    yield from _overlays(tree)
    covered = frozenset().union(*(one.refers_to for one in tree.kustomizations.values()))
    folders = Counter(
        _plain_folder(path, tree)
        for path, text in sorted(tree.texts.items())
        if is_workload(path, text) and not _is_covered(path, tree, covered) and chart_of(path, of_charts) is None
    )
    for folder, count in folders.most_common():
        unusable = _NO_MAIN_PLACE if _is_aside(f"{folder}/") else ""
        yield Sight(Part.MANIFESTS, folder, f"manifests, {counted_files(count)} with a workload", unusable)
    for chart in sorted(of_charts):
        yield Sight(Part.MANIFESTS, chart.rstrip("/") or ".", "Helm chart", "cannot be delivered yet; it is scanned")
    for path in sorted(tree.files):
        if _COMPOSE.fullmatch(posixpath.basename(path)):
            yield Sight(Part.MANIFESTS, path, "Compose file", "is not delivered: manifests of Kubernetes are")


def _overlays(tree: Tree) -> Iterator[Sight]:
    referred = frozenset().union(*(one.refers_to for one in tree.kustomizations.values()))
    for folder, one in sorted(tree.kustomizations.items()):
        if one.is_component or folder in referred:
            continue
        aside = _NO_MAIN_PLACE if _is_aside(f"{folder}/") else ""
        yield Sight(Part.MANIFESTS, folder, "kustomization", one.fault or aside)


def is_workload(path: str, text: bytes) -> bool:
    """Whether a file is a manifest with something that runs."""
    if not path.endswith(_YAML) or not _WORKLOAD.search(text):
        return False
    return any("kubernetes" in part.meant_for and "template" not in part.meant_for for part in documents(text))


def is_manifest(path: str, text: bytes) -> bool:
    """Whether every document of a file is an object of Kubernetes."""
    return path.endswith(_YAML) and all("kubernetes" in part.meant_for for part in documents(text))


def _is_covered(path: str, tree: Tree, covered: frozenset[str]) -> bool:
    """Whether a kustomization brings the file out."""
    folder = posixpath.dirname(path) or "."
    return path in covered or folder in covered or folder in tree.kustomizations


def _scanned(tree: Tree) -> Iterator[Sight]:
    for path in sorted(tree.files, key=_depth):
        if _CHECKOV.fullmatch(posixpath.basename(path)) and not _ASIDE.search(path.removeprefix(".")):
            is_of_all = "/" not in path or path == _USUAL.checkov_config
            yield Sight(Part.SCAN, path, "Checkov configuration", "" if is_of_all else _OF_A_FOLDER)
    if count := sum(kind_of(path) == "terraform" for path in tree.files):
        yield Sight(Part.SCAN, ".", f"Terraform, {counted_files(count)}")


def _monitoring(tree: Tree) -> Iterator[Sight]:
    for path, text in sorted(tree.texts.items(), key=lambda one: _depth(one[0])):
        if _is_aside(path):
            continue
        if posixpath.basename(path) in ("prometheus.yml", "prometheus.yaml") and _PROMETHEUS_KEY.search(text):
            yield Sight(Part.MONITORING, path, "Prometheus configuration")
        if path.endswith(".json") and b'"panels"' in text and b'"schemaVersion"' in text:
            yield Sight(Part.DASHBOARD, path, "Grafana dashboard")


def _links(tree: Tree) -> Iterator[Sight]:
    for path in sorted(tree.links):
        if is_dockerfile(path):
            yield Sight(Part.IMAGE, path, "link", "is a link: name the file itself")


def _folder(path: str, pattern: re.Pattern[str]) -> str:
    """The outermost folder of a usual name, else the file's own."""
    found = pattern.fullmatch(path)
    return found[1] if found else posixpath.dirname(path) or "."


def _plain_folder(path: str, tree: Tree) -> str:
    """The outermost folder for manifests; the file's own where that one holds kustomizations too."""
    folder = _folder(path, _MANIFESTS_FOLDER)
    is_mixed = any(f"{one}/".startswith(f"{folder}/") for one in tree.kustomizations)
    return posixpath.dirname(path) or "." if is_mixed else folder


def _is_aside(path: str) -> bool:
    return bool(_ASIDE.search(path) or _OF_TESTS.search(path))


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def counted_files(count: int) -> str:
    """A number of files in words."""
    return "1 file" if count == 1 else f"{count} files"
