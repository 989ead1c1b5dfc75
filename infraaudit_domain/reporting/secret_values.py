"""Values that are secrets by what stands around them: the name beside or above them, and the kind of their document.

It reads lines and no YAML or HCL: what is shown may be broken. Where it errs, it masks too much. Deliberately absent:
values that are secrets by their own form (infraaudit_domain/log_lines.py).
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

SECRET_NAME = r"(?:passw|passphrase|(?:\b|_)pwd|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|(?:\b|_)pass\b)"
_LONGEST = 2000
_NEAR = 8
"""Lines above and below a value in which its name is looked for: a text that somebody made may have a million of them."""
_NAMES = r"(?:name|key|parameter_?key|parameter_?name|variable)"
_VALUES = r"(?:value|parameter_?value|string_?value|default)"
_QUOTED = r""""(?:[^"\\]|\\.)*"?|'[^']*'?"""
_IS_SECRET = re.compile(SECRET_NAME, re.IGNORECASE)
_IS_VALUE, _IS_NAME = re.compile(_VALUES, re.IGNORECASE), re.compile(_NAMES, re.IGNORECASE)
_KEY = re.compile(
    r"""^(?P<lead>\s*(?:-\s+)*)["']?(?P<key>[\w.-]+)["']?\s*(?:=>|[:=])(?:\s+|(?=["'{\[])|$)(?P<rest>.*)$"""
)
_NAMED = re.compile(rf"""["']?\b{_NAMES}["']?\s*(?:=>|[:=])\s*["']?([\w./-]+)""", re.IGNORECASE)
_VALUE = re.compile(
    rf"""(["']?\b{_VALUES}["']?\s*(?:=>|[:=])\s*)({_QUOTED}|[^\s,}}\]"'{{\[][^,}}\]]*)""", re.IGNORECASE
)
_BLOCK = re.compile(r"(?:[!&]\S+\s+)*[|>][\d+-]*\s*(?:#.*)?$")
_HEREDOC = re.compile(r"<<[-~]?\s*[\"']?(\w+)[\"']?\s*$")
_NO_VALUE = re.compile(
    r"""["']?(?:true|false|null|none|\$.*|(?:var|local|data|module|each)\.[\w.\[\]"'-]+)["']?,?""", re.IGNORECASE
)
_KIND = re.compile(r"""(?:^|[\s{,"'])kind["']?\s*:\s*["']?Secret\b""")
_DATA = re.compile(r"""(^|.*?[\s{,"'])((?:stringData|data)["']?\s*:)(.*)$""")


def mask_beside(line: str) -> str:
    """A line in which a name and its value stand beside each other, with the value masked where the name is a secret's."""
    if any(_IS_SECRET.search(name) for name in _NAMED.findall(line[:_LONGEST])):
        return _VALUE.sub(lambda found: found.group(0) if _is_none(found.group(2)) else f"{found.group(1)}***", line)
    return line


@lru_cache(maxsize=16)
def secret_value_lines(text: str) -> frozenset[int]:
    """The lines of a text, from 1, of which nothing but the name before a value may be shown."""
    lines = [line[:_LONGEST] for line in text.split("\n")]
    keys = [_KEY.match(line) for line in lines]
    found = {*_below_secret_names(lines, keys), *_of_secret_documents(lines)}
    for at, key in enumerate(keys):
        if key and at not in found and _IS_VALUE.fullmatch(key["key"]) and _is_named_secret(lines, keys, at):
            found |= {*([] if _is_none(key["rest"]) else [at]), *_continued(lines, at, key)}
    return frozenset(at + 1 for at in found)


def _is_none(value: str) -> bool:
    return bool(_NO_VALUE.fullmatch(value.strip()))


def _below_secret_names(lines: Sequence[str], keys: Sequence["re.Match[str] | None"]) -> Iterator[int]:
    """Block scalars, here documents and values of several words or lines that a secret's name begins."""
    until = 0
    for at, key in enumerate(keys):
        if at < until or not key or not _IS_SECRET.search(key["key"]):
            continue
        block = list(_continued(lines, at, key))
        yield from block
        until = at + 1 + len(block)
        rest = key["rest"].partition(" #")[0].strip()
        if " " in rest and rest[0] not in "\"'{[|>&!<#$" and ":" in lines[at][: key.start("rest")]:
            yield at
        following = at + 1
        if not rest and following < len(lines) and not keys[following]:
            below = lines[following]
            if below.strip() and _indent(below) > _column(key) and below.strip()[0] not in "-{[#}]":
                yield following


def _continued(lines: Sequence[str], at: int, key: "re.Match[str]") -> Iterator[int]:
    """The lines of the block scalar or here document that a line begins."""
    if heredoc := _HEREDOC.search(key["rest"]):
        for number in range(at + 1, len(lines)):
            if lines[number].strip() == heredoc.group(1):
                return
            yield number
    elif _BLOCK.match(key["rest"].strip()):
        yield from _deeper(lines, at, _column(key))


def _deeper(lines: Sequence[str], at: int, column: int) -> Iterator[int]:
    for number in range(at + 1, len(lines)):
        if lines[number].strip() and _indent(lines[number]) <= column:
            return
        yield number


def _is_named_secret(lines: Sequence[str], keys: Sequence["re.Match[str] | None"], at: int) -> bool:
    """Whether another line of the same mapping names what the value of a line is for."""
    key = keys[at]
    assert key is not None
    column = _column(key)
    for step in (-1, 1):
        number = at
        for _ in range(_NEAR):
            if (step < 0 and "-" in lines[number][:column]) or not 0 <= (number := number + step) < len(lines):
                break
            other, line = keys[number], lines[number]
            if not line.strip() or line.lstrip().startswith(("#", "//")):
                continue
            own = _column(other) if other else _indent(line)
            if own < column or (own == column and not other) or (step > 0 and "-" in line[:column]):
                break
            if other and own == column and _names_secret(other):
                return True
    return False


def _names_secret(key: "re.Match[str]") -> bool:
    return bool(_IS_NAME.fullmatch(key["key"]) and _IS_SECRET.search(key["rest"]))


def _of_secret_documents(lines: Sequence[str]) -> Iterator[int]:
    """What stands below ``data`` and ``stringData`` in a document that has an object of the kind Secret."""
    starts = [0, *(number for number, line in enumerate(lines) if line.startswith("---"))]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        document = lines[start:end]
        if not any(_KIND.search(line) for line in document):
            continue
        until = 0
        for at, line in enumerate(document):
            if at >= until and (data := _DATA.match(line)):
                if data.group(3).strip(" {\r") and not data.group(3).strip().startswith("#"):
                    yield start + at
                below = list(_deeper(document, at, data.start(2) - data.group(1).endswith('"')))
                yield from (start + number for number in below)
                until = at + 1 + len(below)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _column(key: "re.Match[str]") -> int:
    return len(key["lead"])
