"""Has the search for secrets say which files it read, and what stands in them though it does not report it.

Deliberately absent: the ways of reading a file (other_readings.py).
"""

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from resources.checkov.reading import proof
from resources.checkov.reading.other_readings import Transformed, standing


def witness() -> None:
    """Have the search report to the current proof."""
    secrets: Any = import_module("checkov.secrets.runner")
    search = secrets.scan
    search.get_transformed_file = Transformed(search.get_transformed_file)
    search.scan_file = _noting_files(search, search.scan_file)
    runner = secrets.Runner
    runner._prepare_scan_file = staticmethod(_noting_copies(runner._prepare_scan_file))


def _noting_files(search: Any, usual: Callable[[str], Iterable[Any]]) -> Callable[[str], Iterable[Any]]:
    transformed: Transformed = search.get_transformed_file

    def scan_file(filename: str) -> Iterable[Any]:
        Path(filename).read_text("utf-8")  # the search passes over what is no text, and says nothing
        found = _noting_errors(filename, usual)
        yield from found
        if proof.current is None:
            return
        path = proof.current.copies.get(filename, filename)
        proof.current.read[path] = None
        for secret in standing(transformed.others(filename), read_as(filename), {one.secret_hash for one in found}):
            proof.current.passed[path][secret]

    def read_as(filename: str) -> Callable[[Sequence[str]], Iterable[Any]]:
        def read(lines: Sequence[str]) -> Iterable[Any]:
            numbered = [(number, line, False, False) for number, line in enumerate(lines, start=1)]
            found: Iterable[Any] = search._process_line_based_plugins(numbered, filename)
            return found

        return read

    return scan_file


def _noting_errors(filename: str, usual: Callable[[str], Iterable[Any]]) -> list[Any]:
    """The secrets that are found; what Checkov only logs is why the file is not read."""
    try:
        return list(usual(filename))
    except Exception as error:
        if proof.current is not None:
            path = proof.current.copies.get(filename, filename)
            proof.current.broke.setdefault(path, f"{type(error).__name__}: {error}"[:300])
        raise


def _noting_copies(usual: Callable[[str], str | None]) -> Callable[[str], str | None]:
    def prepare_scan_file(filename: str) -> str | None:
        copy = usual(filename)
        if copy is not None and proof.current is not None:
            proof.current.copies[copy] = filename
        return copy

    return prepare_scan_file
