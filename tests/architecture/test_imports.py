"""Every module can be imported alone, and so can every module that a string or a YAML file names."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from infraaudit_assets.commands.warm import COMMANDS
from resources.dagster.warm_imports import HEAVY, PRELOAD
from tests import ROOT
from tests.architecture.structure import PACKAGES, modules

PRIVATE = re.compile(r"^dagster(_[a-z0-9]+)?(\.\w+)*\._")
ALONE = """
import importlib, os, sys
names = sys.stdin.read().split()
ours = {name.partition(".")[0] for name in names}

# The libraries that any of the modules imports, as a child finds them: they are imported once and not 300 times.
reader, writer = os.pipe()
if os.fork() == 0:
    for name in names:
        importlib.import_module(name)
    libraries = [name for name in sys.modules if name.partition(".")[0] not in ours | {"__main__"}]
    with open(writer, "w") as found:
        found.write(" ".join(libraries))
    os._exit(0)
os.close(writer)
for name in open(reader).read().split():
    try:
        importlib.import_module(name)
    except ImportError:
        pass  # it is no file, but something that a library puts in the place of one

faults = []
for name in names:
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            importlib.import_module(name)
        except BaseException as error:
            os.write(writer, f"{name}: {type(error).__name__}: {error}\\n".encode()[:2000])
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader) as said:
        faults += said.read().splitlines()
print("\\n".join(faults))
"""


@pytest.mark.slow
def test_every_module_can_be_imported_alone() -> None:
    """Each in a process that has imported libraries, and nothing of ours."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE], input="\n".join(modules()), capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("name", [*PRELOAD, *HEAVY, *COMMANDS])
def test_every_module_that_is_preloaded_imports(name: str) -> None:
    assert import_module(name)


def _yaml_files() -> list[Path]:
    listed = [path for folder in ("configs", "docker") for path in (ROOT / folder).rglob("*.y*ml")]
    return [ROOT / "workspace.yaml", *sorted(listed)]


@pytest.mark.parametrize("path", _yaml_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_that_a_yaml_file_names_imports(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        for module, name in _named(document):
            found = import_module(module)
            assert not name or isinstance(getattr(found, name), type), f"{module}.{name}"


def test_the_yaml_files_name_modules() -> None:
    found = {
        one for path in _yaml_files() for document in yaml.safe_load_all(path.read_text()) for one in _named(document)
    }
    assert {("resources.dagster.run_queue", "KeyedRunQueue"), ("infraaudit_assets.definitions", "")} <= found


def _named(node: Any) -> Iterator[tuple[str, str]]:
    """Modules with their classes, as dagster.yaml and workspace.yaml name them."""
    if isinstance(node, dict):
        for key in ("module", "python_module"):
            if isinstance(node.get(key), str):
                yield node[key], node.get("class", "")
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from _named(value)


@pytest.mark.parametrize(("module", "name"), [("sensors.run_queue", "KeyedRunQueue"), ("sensors.run_jobs", "RunJobs")])
def test_the_names_in_an_edited_dagster_yaml_of_before_still_import(module: str, name: str) -> None:
    assert isinstance(getattr(import_module(module), name), type)


def test_private_names_of_dagster_stand_below_resources_dagster_alone() -> None:
    found = {
        f"{name}: {module}"
        for name, path in modules().items()
        if not name.startswith("resources.dagster")
        for module in _imported(path)
        if PRIVATE.match(module)
    }
    assert found == set()


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_library_ships_a_package_of_our_names() -> None:
    foreign = {package: owners for package, owners in metadata.packages_distributions().items() if package in PACKAGES}
    assert {owner for owners in foreign.values() for owner in owners} <= {"infraaudit"}, foreign
