"""A patch of Checkov, declared where its function is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.checkov.speedups import known_sources


@dataclass(frozen=True, slots=True)
class Patch:
    """A change to the Checkov imported in this process."""

    name: str
    modules: tuple[str, ...]
    """The modules that it changes or relies on; it fits their known text only."""
    apply: Callable[[Path], Any]
    """Called with the folder in which children keep what they parsed and evaluated; most patches keep nothing there."""

    @property
    def fits(self) -> bool:
        return known_sources.are_known(self.modules)


def made_for(*modules: str) -> Callable[[Callable[[Path], Any]], Patch]:
    """Make a patch of a function; a module without an entry in known_sources is a mistake of ours, raised at import."""
    unlisted = [module for module in modules if module not in known_sources.DIGESTS]
    if unlisted:
        raise KeyError(f"not in known_sources.DIGESTS: {', '.join(unlisted)}")

    def declare(function: Callable[[Path], Any]) -> Patch:
        return Patch(function.__name__, modules, function)

    return declare
