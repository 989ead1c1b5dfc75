"""The picture stays calm: no import up, no circle, no hall, no module that is too long."""

import pytest

from tests.architecture.structure import Imports, circle, folders, imports, lines, modules, upward

FILES = modules()
LONGEST = 250
MOST_ROOMS = 18
HALLS = {
    "resources.history.queries": "one module a question to the history, and the few things that several of them share",
    "infraaudit_assets.commands": "one module a group of commands, loaded when it is called",
}
"""Folders with more rooms, and why."""


@pytest.fixture(scope="module")
def found() -> Imports:
    return imports(FILES)


def test_no_import_runs_up(found: Imports) -> None:
    assert upward(found) == []


def test_no_files_import_each_other_in_a_circle(found: Imports) -> None:
    assert circle(found) == []


def test_no_folders_import_each_other_in_a_circle(found: Imports) -> None:
    assert [folder.name for folder in folders(found) if folder.floors == 0] == []


def test_no_folder_is_a_hall(found: Imports) -> None:
    halls = {folder.name: folder.rooms for folder in folders(found) if folder.rooms > MOST_ROOMS}
    assert halls.keys() <= HALLS.keys(), halls


def test_no_module_is_too_long() -> None:
    assert {name: count for name, count in lines(FILES).items() if count > LONGEST} == {}
