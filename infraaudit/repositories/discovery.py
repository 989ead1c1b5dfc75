"""Read what a repository holds, through its mirror, for the entry of a project.

The repository is anybody's: so many files of such a size are looked into, nothing of it is run, and no name of it reaches
this machine's file system. Deliberately absent: choosing among what is found (infraaudit_domain/repositories).
"""

import posixpath
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.errors import ConfigurationError, RepositoryError, excerpt
from infraaudit_domain.kubernetes.kustomization import FILE_NAMES, kustomization_faults, sources
from infraaudit_domain.repositories.layout import Kustomization, Tree, is_looked_into
from infraaudit_domain.repositories.selection import Selection, Wanted, select
from resources.git.mirror import CHECKOUT_FILES, Mirror
from resources.machine.yaml_text import Bounds, UnreadableError, read_documents

MOST_FILES = 2000
MOST_BYTES = 16 * 1024 * 1024
FILE_BYTES = 512 * 1024
_KUSTOMIZATION = Bounds(size=100_000, nodes=5_000)
_USUAL_BRANCHES = ("main", "master")
_NAMED = 10
_LONGEST_PATH = 1000
"""Characters; Git sets no limit."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a repository is, as far as a project's entry goes."""

    branch: str
    sha: str
    files: int
    selection: Selection
    unseen: int
    """Files that were not looked into, because there are too many, or they are too large or have no readable name."""


def discover(mirror: Mirror, scratch: Path, wanted: Wanted, branch: str | None = None) -> Discovery:
    """What the head of a branch holds, the default one unless another is named.

    Raises RepositoryError where it cannot be read, and ConfigurationError where something that is named is not there.
    """
    branches = mirror.branches()
    chosen = _default_branch(mirror, branches) if branch is None else branch
    if chosen not in branches:
        raise ConfigurationError(
            f"The repository has no branch {excerpt(chosen, 100)!r}: name one by --branch. It has {_listed(branches)}."
        )
    entries = mirror.tree(branches[chosen])
    if len(entries) > CHECKOUT_FILES:
        raise RepositoryError(
            f"{excerpt(chosen, 100)} has {len(entries)} files, beyond the {CHECKOUT_FILES} of a checkout: nothing of it "
            "could be built. Name a branch with fewer by --branch."
        )
    tree, unseen = _read(mirror, entries, scratch, wanted.dockerfile)
    return Discovery(chosen, branches[chosen], len(entries), select(tree, wanted), unseen)


def _default_branch(mirror: Mirror, branches: Mapping[str, str]) -> str:
    """The branch that HEAD names, the only one, or the one with a usual name."""
    if not branches:
        raise RepositoryError("The repository has no branch yet: push a commit first.")
    alone = list(branches) if len(branches) == 1 else []
    candidates = (mirror.default_branch() or "", *alone, *_USUAL_BRANCHES)
    usual = next((name for name in candidates if name in branches and name.isprintable()), None)
    if usual is None:
        raise ConfigurationError(
            f"HEAD of the repository names no branch with a readable name: name one by --branch. It has {_listed(branches)}."
        )
    return usual


def _listed(branches: Mapping[str, str]) -> str:
    names = ", ".join(excerpt(name, 60) for name in list(branches)[:_NAMED])
    return names + (f" and {len(branches) - _NAMED} more" if len(branches) > _NAMED else "")


def _read(mirror: Mirror, entries: Sequence[TreeEntry], scratch: Path, also: str) -> tuple[Tree, int]:
    """The tree, and how many of its files were not looked into."""
    named = [one for one in entries if one.path.isprintable() and len(one.path) <= _LONGEST_PATH]
    wanted = [one for one in named if one.is_file and (is_looked_into(one.path) or one.path == also)]
    read = _within_bounds(wanted)
    texts = _texts(mirror, read, scratch)
    tree = Tree(
        frozenset(one.path for one in named if one.is_file),
        frozenset(one.path for one in named if one.is_link),
        texts,
        dict(_kustomizations(texts)),
    )
    return tree, len(wanted) - len(read) + len(entries) - len(named)


def _within_bounds(entries: Iterable[TreeEntry]) -> list[TreeEntry]:
    """As many as may be read, those nearest to the root first."""
    chosen: list[TreeEntry] = []
    size = 0
    for entry in sorted(entries, key=lambda one: (one.path.count("/"), one.path)):
        if entry.size is None or entry.size > FILE_BYTES:
            continue
        size += entry.size
        if size > MOST_BYTES or len(chosen) == MOST_FILES:
            break
        chosen.append(entry)
    return chosen


def _texts(mirror: Mirror, entries: Sequence[TreeEntry], scratch: Path) -> dict[str, bytes]:
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="discovery-") as folder:
        # By number: a name may be one that no file can have here.
        mirror.export([replace(entry, path=str(number)) for number, entry in enumerate(entries)], Path(folder))
        return {entry.path: (Path(folder) / str(number)).read_bytes() for number, entry in enumerate(entries)}


def _kustomizations(texts: Mapping[str, bytes]) -> Iterable[tuple[str, Kustomization]]:
    for path, text in texts.items():
        if posixpath.basename(path) in FILE_NAMES:
            folder = posixpath.dirname(path) or "."
            yield folder, _kustomization(folder, text)


def _kustomization(folder: str, text: bytes) -> Kustomization:
    try:
        documents = read_documents(text.decode("utf-8", "replace"), _KUSTOMIZATION)
    except UnreadableError as error:
        return Kustomization(fault=f"cannot be read: {excerpt(str(error), 200)}")
    document = documents[0] if len(documents) == 1 else None
    fault = excerpt("; ".join(kustomization_faults(document)), 300)
    if not isinstance(document, dict):
        return Kustomization(fault=fault)
    refers_to = frozenset(posixpath.normpath(posixpath.join(folder, one)) for one in sources(document))
    return Kustomization(refers_to, document.get("kind") == "Component", fault)
