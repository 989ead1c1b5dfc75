"""Imports between our folders and files: `python -m tests.architecture.structure` prints them, a test checks them.

Every import statement counts, those inside functions too. A room is a module or folder directly inside a folder; a
floor is a step of the longest path down through its rooms.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests import ROOT

FLOORS = (("infraaudit_assets",), ("sensors", "service"), ("infraaudit",), ("resources",), ("infraaudit_domain",))
"""From the roof down, as import-linter's first contract has them."""
PACKAGES = tuple(package for floor in FLOORS for package in floor)
EXCLUDED = "resources/history/migrations"
"""Run by Alembic in their order, inside its own environment, and never imported."""

Imports = Mapping[str, frozenset[str]]


def modules(root: Path = ROOT) -> dict[str, Path]:
    """The file of every module of ours."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            relative = path.relative_to(root)
            if not str(relative).startswith(EXCLUDED):
                parts = relative.with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(files: Mapping[str, Path]) -> Imports:
    """The modules of ours that each one imports; ``from package import module`` counts for the module alone."""
    return {name: frozenset(_named(name, path, files)) - {name} for name, path in files.items()}


def _named(name: str, path: Path, files: Mapping[str, Path]) -> Iterable[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            whole = (f"{source}.{alias.name}" for alias in node.names)
            named = [module if module in files else source for module in whole]
            yield from (module for module in named if module in files)


def arrows(found: Imports, folder: str = "") -> Counter[tuple[str, str]]:
    """The number of imports from each room of a folder to each other one; between the top folders where none is
    named."""
    inside = f"{folder}." if folder else ""
    depth = inside.count(".")
    counted: Counter[tuple[str, str]] = Counter()
    for source, targets in found.items():
        for target in targets:
            if source.startswith(inside) and target.startswith(inside):
                ends = source.split(".")[depth], target.split(".")[depth]
                counted[ends] += ends[0] != ends[1]
    return +counted


def upward(found: Imports) -> list[tuple[str, str]]:
    """Top folders that import one that is not below them."""
    height = {package: index for index, floor in enumerate(FLOORS) for package in floor}
    return sorted(ends for ends in arrows(found) if height[ends[0]] >= height[ends[1]])


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle of imports, if there is any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def rooms(found: Imports, folder: str) -> set[str]:
    inside = f"{folder}."
    return {name.removeprefix(inside).split(".")[0] for name in found if name.startswith(inside)}


def floors(ends: Iterable[tuple[str, str]], among: Iterable[str]) -> int:
    """The rooms on the longest path down; 0 where they import each other in a circle."""
    below: dict[str, set[str]] = {room: set() for room in among}
    for source, target in ends:
        below[source].add(target)
    if circle(below):
        return 0
    height: dict[str, int] = {}
    for room in TopologicalSorter(below).static_order():
        height[room] = 1 + max((height[lower] for lower in below[room]), default=0)
    return max(height.values(), default=0)


@dataclass(frozen=True)
class Folder:
    name: str
    rooms: int
    floors: int
    arrows: int


def folders(found: Imports) -> list[Folder]:
    """Every folder with rooms in it."""
    names = {name.rpartition(".")[0] for name in found if "." in name}
    measured = []
    for name in sorted(names):
        inside, between = rooms(found, name), arrows(found, name)
        measured.append(Folder(name, len(inside), floors(between, inside), len(between)))
    return measured


def lines(files: Mapping[str, Path]) -> dict[str, int]:
    return {name: len(path.read_text().splitlines()) for name, path in files.items()}


def main() -> None:
    files = modules()
    found, length = imports(files), lines(files)
    between, total = arrows(found), sum(length.values())
    print(f"{len(files)} modules, {total} lines")
    print(f"arrows between top folders: {len(between)}, up: {len(upward(found))}, a circle of files: {circle(found)}")
    share = Counter(
        {package: sum(n for name, n in length.items() if name.split(".")[0] == package) for package in PACKAGES}
    )
    for package, count in share.most_common():
        print(f"  {package:20} {100 * count / total:3.0f} % of the lines")
    for (source, target), count in sorted(between.items()):
        print(f"  {source} > {target}: {count}")
    print("folder: rooms / floors / arrows between them (floors 0: a circle)")
    for folder in folders(found):
        print(f"  {folder.name:36} {folder.rooms:3} / {folder.floors} / {folder.arrows}")


if __name__ == "__main__":
    main()
