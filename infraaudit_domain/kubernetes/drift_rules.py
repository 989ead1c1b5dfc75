"""Which differences a project ignores: by object and by a JSON path.

Of JSON path (RFC 9535) what names places: names, positions, wildcards, and a filter by equality. Deliberately absent:
scripts, descendants, slices.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][\w-]*|\*)|\[(?P<index>\d{1,6})\]|\[(?P<any>\*)\]|\['(?P<single>[^']*)'\]|\[\"(?P<double>[^\"]*)\"\]"
    r"|\[\?\(?@\.(?P<key>[\w-]+)\s*==\s*(?P<quote>['\"])(?P<value>.*?)(?P=quote)\)?\]"
)
Step = str | int | tuple[str, str] | None
"""A name, a position, an entry with a value under a key, or any."""


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """A place whose differences are somebody else's."""

    object: str
    """``Kind/name``, with ``*`` for any."""
    steps: tuple[Step, ...]

    def covers(self, identity: str, document: Any, path: Sequence[str | int]) -> bool:
        """Whether a path of a document, or what it lies in, is ignored."""
        if not fnmatchcase(identity, self.object) or len(path) < len(self.steps):
            return False
        for wanted, step in zip(self.steps, path, strict=False):
            document = _at(document, step)
            if isinstance(wanted, tuple):
                if not isinstance(document, dict) or str(document.get(wanted[0])) != wanted[1]:
                    return False
            elif wanted is not None and wanted != step:
                return False
        return True


def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a JSON path such as ``$.spec.template.spec.containers[?(@.name=='web')].image``. Raises ValueError."""
    if not text.startswith("$") or text == "$":
        raise ValueError("a JSON path begins with $ and names a place, such as $.spec.replicas")
    steps: list[Step] = []
    place = 1
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None:
            raise ValueError(f"{text[place : place + 40]!r} is no step of a JSON path that is understood here")
        steps.append(_step(found))
        place = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["any"] or found["name"] == "*":
        return None
    if found["index"] is not None:
        return int(found["index"])
    if found["key"] is not None:
        return found["key"], found["value"]
    return next(found[name] for name in ("name", "single", "double") if found[name] is not None)


def _at(document: Any, step: str | int) -> Any:
    try:
        return document[step]
    except (KeyError, IndexError, TypeError):
        return None
