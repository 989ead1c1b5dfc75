"""Which files a filter names: a file, a folder with all in it, or a pattern in which ``*`` and ``?`` stand for any text.

A pattern becomes a regular expression that databases and Python read alike; its stars are limited, since each multiplies
the time that a match may take.
"""

import re

MOST_STARS = 4
_STARS = re.compile(r"\*+")


def too_many_stars(path: str) -> bool:
    return len(_STARS.findall(path)) > MOST_STARS


def expression_of(path: str) -> str | None:
    """The regular expression of a pattern; None for the name of a file or folder."""
    if "*" not in path and "?" not in path:
        return None
    parts = _STARS.sub("*", path.strip("/"))
    return f"^{''.join(_any(char) for char in parts)}$"


def _any(char: str) -> str:
    if char in "*?":
        return ".*" if char == "*" else "."
    return re.escape(char)


def names(path: str, file: str) -> bool:
    """Whether a filter names a file; an empty one names every file."""
    folder = path.strip("/")
    if pattern := expression_of(path):
        return re.search(pattern, file, re.DOTALL) is not None
    return not folder or f"{file}/".startswith(f"{folder}/")
