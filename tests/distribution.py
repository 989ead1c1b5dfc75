"""Which tests one xdist worker runs together, and which start first (`--dist loadgroup --no-loadscope-reorder`).

Together: the installations of the sample, tests that share a module fixture or the warm state folder, so that each is
made once; and the unit tests of a file. Every other e2e test creates what it needs under its own names, and goes to any
free worker. Deliberately absent: manual marks. The fixtures determine what is shared.
"""

import pytest

_SHARED = ("sample", "warm_home")
DEFAULT_LIMIT = 300.0
PATIENCE = 3
"""How many times what is ample on a quiet machine an e2e test may wait: another worker has the machine, too."""


def prepare(items: list[pytest.Item]) -> None:
    """Assign each test its group, and put those with the longest time limits first, so that the run ends with short
    ones."""
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (item.get_closest_marker("e2e") is None, _group(item) != "sample", -limit_of(item)))


def _group(item: pytest.Item) -> str:
    scopes = _scopes(item)
    for shared in _SHARED:
        if shared in scopes:
            return shared
    if item.get_closest_marker("e2e") is None or "module" in scopes.values():
        return item.nodeid.partition("::")[0]
    return ""


def _scopes(item: pytest.Item) -> dict[str, str]:
    """The scope of every fixture that a test uses, directly or through another."""
    definitions: dict[str, tuple[pytest.FixtureDef, ...]] = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009
    return {name: found[-1].scope for name, found in definitions.items()}


def without_group(name: str) -> str:
    """A test's name as it is where one runs after the other, for `--last-failed`: xdist adds the group."""
    plain, at, group = name.rpartition("@")
    return plain if at and group in (*_SHARED, plain.partition("::")[0]) else name


def limit_of(item: pytest.Item) -> float:
    """How many seconds a test may take."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker and marker.args else DEFAULT_LIMIT
