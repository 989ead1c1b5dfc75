"""Secrets that stand in a file by the ways of reading it that the search for secrets did not take.

detect-secrets reads the values of a YAML file where the whole of it parses, and its lines where it does not; a file of
settings as such only where it found nothing in its lines; no line with a ``pragma``; and in a line that ends in a comment
such as ``# gitleaks:allow`` it may take a word of the comment for the value. An edit elsewhere in a file, or a comment,
takes a secret out of the report so, though it stands there as before. Deliberately absent: reporting such a secret,
which the search does not do either; it proves that an earlier finding is not gone.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

_YAML = (".yaml", ".yml")
_PRAGMA = re.compile(r"pragma: ?(?:allow|white)list(?:[ -]nextline)?[ -]secret")
_ENTRY = re.compile(r"""([ \t]*(?:-[ \t]+)*)(["']?)([^\s"'#:{}\[\]-][^"'#:{}\[\]]*)\2[ \t]*:[ \t]+(\S.*)""")
_BLOCK = re.compile(r"([|>])[-+\d]*[ \t]*(?:#.*)?")
_COMMENT = re.compile(r"[ \t]+#.*")
_LAST_COMMENT = re.compile(r"[ \t](?:#|//)[^\n]*")
_LONG_ENOUGH = re.compile(r"[^\s\"':,{}\[\]]{8}")
"""A word that may be a secret; all else is not worth the search's time."""
Read = Callable[[Sequence[str]], Iterable[Any]]


class Transformed:
    """What the search made of the file that it reads now, which it does not say itself."""

    def __init__(self, usual: Callable[..., list[str] | None]) -> None:
        self._usual = usual
        self.lines: list[str] | None = None
        self.as_settings = False

    def __call__(self, file: Any, use_eager_transformers: bool = False) -> list[str] | None:
        lines = self._usual(file, use_eager_transformers=use_eager_transformers)
        if use_eager_transformers:
            self.as_settings = True
        else:
            self.lines, self.as_settings = lines, False
        return lines

    def others(self, filename: str) -> Iterator[list[str]]:
        """The lines of the file by each way that was not taken."""
        with open(filename, encoding="utf-8") as file:
            plain = file.readlines()
            settings = None if self.as_settings else self._usual(file, use_eager_transformers=True)
        if settings:
            yield settings
        if self.lines:
            yield [line if not said else "" for line, said in zip_longest(plain, self.lines, fillvalue="")]
        elif filename.endswith(_YAML):
            yield values(plain)
        if any("pragma" in line for line in plain):
            yield [_PRAGMA.sub("", line) for line in self.lines or plain]
        for lines in filter(None, (self.lines, plain)):
            if any(map(_LAST_COMMENT.search, lines)):
                yield [_without_comment(line) for line in lines]


def _without_comment(line: str) -> str:
    """A line without the comment that it ends in; nothing where it has none, as it is read elsewhere."""
    comment = _LAST_COMMENT.search(line)
    return line[: comment.start()] if comment and line[: comment.start()].strip() else ""


def standing(lines_of: Iterable[Sequence[str]], read: Read, reported: Collection[str]) -> set[str]:
    """The digests of secrets that other readings find and the report lacks."""
    found = {
        secret.secret_hash
        for lines in lines_of
        for secret in read([line if _LONG_ENOUGH.search(line) else "" for line in lines])
    }
    return found - set(reported)


def values(lines: Sequence[str]) -> list[str]:
    """What a parser of YAML would give the search for these lines, as far as the lines themselves show it."""
    found: list[str] = []
    for number, line in enumerate(lines):
        entry = _ENTRY.match(line.rstrip())
        if entry is None:
            found.append("")
            continue
        value = _value(entry[4], lines, number, len(entry[1])).replace('"', '\\"')
        found.append(f'{entry[3].rstrip()}: "{value}"')
    return found


def _value(start: str, lines: Sequence[str], number: int, indentation: int) -> str:
    if start[0] in "\"'":
        end = start.find(start[0], 1)
        return start[1:end] if end > 0 else start[1:]
    block = _BLOCK.fullmatch(start)
    if block is None:
        return _COMMENT.sub("", start)
    inside = list(_inside(lines, number + 1, indentation))
    return ("\n" if block[1] == "|" else " ").join(inside) + "\n"


def _inside(lines: Sequence[str], first: int, indentation: int) -> Iterator[str]:
    """The lines of a block, which are further to the right than its key."""
    margin: int | None = None
    for line in lines[first:]:
        text = line.rstrip("\n")
        left = len(text) - len(text.lstrip(" "))
        if text.strip() and left <= indentation:
            return
        margin = left if margin is None and text.strip() else margin
        yield text[margin or 0 :]
