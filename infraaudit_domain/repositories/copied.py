"""Which folder a Dockerfile is meant to be built in, by what it copies.

Deliberately absent: globs, variables and heredocs; a source with any of them says nothing.
"""

import json
import posixpath
import re
from collections.abc import Collection

from infraaudit_domain.delivery.dockerfile import instructions

_PLAIN = re.compile(r"[\w.][\w./ @+-]{0,500}", re.ASCII)
_LONGEST = 2000
"""Characters of an instruction that is read."""


def copied(text: str) -> tuple[str, ...]:
    """The files and folders of its context that a Dockerfile copies by plain names."""
    found: dict[str, None] = {}
    for line in instructions(text):
        word, _, rest = line[:_LONGEST].partition(" ")
        if word.upper() in ("COPY", "ADD") and len(line) <= _LONGEST:
            found |= dict.fromkeys(_sources(rest.strip()))
    return tuple(found)


def _sources(words: str) -> list[str]:
    while words.startswith("--"):
        flag, _, words = words.partition(" ")
        words = words.strip()
        if flag.lower().startswith("--from="):
            return []
    given = _list(words) if words.startswith("[") else words.split()
    named = (posixpath.normpath(one.lstrip("/")) for one in given[:-1] if _PLAIN.fullmatch(one.lstrip("/")))
    return [one for one in named if one != "." and not one.startswith("..")]


def _list(words: str) -> list[str]:
    try:
        given = json.loads(words)
    except (ValueError, RecursionError):
        return []
    return [str(one) for one in given] if isinstance(given, list) else []


def context_of(dockerfile: str, text: str, files: Collection[str]) -> str:
    """The folder in which all that the Dockerfile copies is: the root, or its own; the root where neither shows."""
    own = posixpath.dirname(dockerfile)
    sources = copied(text)
    paths = _with_folders(files)
    if not own or (sources and all(source in paths for source in sources)):
        return "."
    is_below = sources and all(f"{own}/{source}" in paths for source in sources)
    # What copies nothing but "." is built where it is, unless that is a folder for Dockerfiles.
    is_alone = not sources and posixpath.basename(own) not in ("docker", "build", "containers", "dockerfiles")
    return own if is_below or is_alone else "."


def _with_folders(files: Collection[str]) -> frozenset[str]:
    found = set(files)
    for path in files:
        while (path := posixpath.dirname(path)) and path not in found:
            found.add(path)
    return frozenset(found)
