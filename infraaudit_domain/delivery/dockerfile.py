"""What a Dockerfile says it starts from.

Not by dockerfile-parse: its images include the file's own stages and lack those of ``COPY --from`` and ``RUN --mount``,
it expands ``${VERSION:-1}`` wrongly, and ends an instruction at a comment between its lines. A commit's author writes
the file, so every step is linear in its length, and what an ARG grows beyond a bound is unknown. Deliberately absent:
building it, and asking what a reference means today.
"""

import re
from collections.abc import Iterator, Mapping

UNKNOWN = "?"
"""Stands for a reference that is too long to be one. No engine knows an image of this name."""
_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*")
_FROM = re.compile(r"FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?\s*", re.IGNORECASE)
_OTHER_IMAGE = re.compile(r"\bfrom=([^\s,\"'\\]+)", re.IGNORECASE)
_ARG = re.compile(r"ARG\s+(.+)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")
_LONGEST = 2000
"""Characters of a reference, of an ARG's value, and of an instruction that names one."""
_MOST_ARGUMENTS = 2000


def images_read(text: str, build_args: Mapping[str, str]) -> tuple[str, ...]:
    """The references of all images that a build of this Dockerfile reads, each once, in the order they are named.

    ``scratch`` and the file's own stages are left out. Rather one too many (an instruction within a heredoc) than one
    too few. ``build_args`` override the defaults of ``ARG``.
    """
    variables: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    images: dict[str, None] = {}
    seen_from = False
    for line in instructions(text):
        word = line[:20].split(None, 1)[0].upper()
        if word == "ARG" and not seen_from and (argument := _ARG.match(line)):
            _add_arguments(variables, argument[1], build_args)
        elif word == "FROM":
            seen_from = True
            start = _FROM.fullmatch(line) if len(line) <= _LONGEST else None
            reference = _expand(start[1], variables) if start else UNKNOWN
            if reference.lower() not in stages:
                images[reference] = None
            stages.add((start[2] or "").lower() if start else "")
        else:
            for named in _other_images(line):
                reference = _expand(named, variables)
                if reference.lower() not in stages and not reference.isdecimal():
                    images[reference] = None
    return tuple(images)


def _other_images(line: str) -> Iterator[str]:
    """What the flags of COPY, ADD and RUN name."""
    words = line.split()
    if words[0].upper() == "ONBUILD":
        words = words[1:]
    if not words or words[0].upper() not in ("COPY", "ADD", "RUN"):
        return
    is_quoted = False
    for word in words[1:]:
        if not is_quoted and not word.startswith("--"):
            return
        yield from _OTHER_IMAGE.findall(word)
        is_quoted ^= (word.count('"') + word.count("'")) % 2 == 1


def syntax_image(text: str) -> str | None:
    """The frontend image that a leading ``# syntax=`` line asks for."""
    return _directives(text).get("syntax")


def without_syntax(text: str) -> str:
    """The same file, built by the engine's own frontend."""
    lines = text.split("\n")
    for place, line in enumerate(lines):
        directive = _DIRECTIVE.match(line.strip())
        if directive and directive[1].lower() == "syntax":
            return "\n".join(lines[:place] + lines[place + 1 :])
        if line.strip() and not line.strip().startswith("#"):
            break
    return text


def instructions(text: str) -> list[str]:
    """The instructions, one each, with continued lines joined and comments dropped."""
    escape = _directives(text).get("escape", "\\")
    joined: list[list[str]] = []
    continued = False
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        body = stripped.removesuffix(escape).rstrip()
        if continued:
            joined[-1].append(body)
        else:
            joined.append([body])
        continued = stripped.endswith(escape)
    return [found for parts in joined if (found := " ".join(parts).strip())]


def _directives(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.split("\n"):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        found[directive[1].lower()] = directive[2]
    return found


def _add_arguments(known: dict[str, str], words: str, build_args: Mapping[str, str]) -> None:
    for word in words.split():
        name, _, default = word.partition("=")
        if len(known) >= _MOST_ARGUMENTS:
            return
        value = _expand(default.strip("\"'"), known) if len(default) <= _LONGEST else UNKNOWN
        known[name[:_LONGEST]] = build_args.get(name, value)


def _expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables replaced; UNKNOWN where that is too long."""

    def value(match: re.Match[str]) -> str:
        current = variables.get(match[1] or match[4], "" if len(variables) < _MOST_ARGUMENTS else UNKNOWN)
        if match[2] == "-":
            return current or match[3]
        if match[2] == "+":
            return match[3] if current else ""
        return current

    if len(text) > _LONGEST:
        return UNKNOWN
    expanded, end = "", 0
    for match in _VARIABLE.finditer(text):
        expanded += text[end : match.start()] + value(match)
        end = match.end()
        if len(expanded) > _LONGEST:
            return UNKNOWN
    expanded += text[end:]
    return expanded if len(expanded) <= _LONGEST else UNKNOWN
