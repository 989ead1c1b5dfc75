"""What a Dockerfile says it starts from.

Not by dockerfile-parse: its images include the file's own stages and lack those of ``COPY --from`` and ``RUN --mount``,
it expands ``${VERSION:-1}`` wrongly, and ends an instruction at a comment between its lines. Deliberately absent:
building it, and asking what a reference means today.
"""

import re
from collections.abc import Mapping

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*")
_FROM = re.compile(r"FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
_OTHER_IMAGE = re.compile(r"(?:COPY|ADD|RUN)\s.*?(?:--from=|--mount=\S*?\bfrom=)([^\s,]+)", re.IGNORECASE | re.DOTALL)
_ARG = re.compile(r"ARG\s+(.+)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")


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
        if not seen_from and (argument := _ARG.match(line)):
            variables |= _arguments(argument[1], variables, build_args)
        elif start := _FROM.match(line):
            seen_from = True
            reference = _expand(start[1], variables)
            if reference.lower() not in stages:
                images[reference] = None
            stages.add((start[2] or "").lower())
        elif other := _OTHER_IMAGE.match(line):
            reference = _expand(other[1], variables)
            if reference.lower() not in stages and not reference.isdecimal():
                images[reference] = None
    return tuple(images)


def syntax_image(text: str) -> str | None:
    """The frontend image that a leading ``# syntax=`` line asks for."""
    return _directives(text).get("syntax")


def without_syntax(text: str) -> str:
    """The same file, built by the engine's own frontend."""
    return re.sub(r"\A((?:\s*#[^\n]*\n)*?)\s*#\s*syntax\s*=[^\n]*\n", r"\1", text, count=1, flags=re.IGNORECASE)


def instructions(text: str) -> list[str]:
    """The instructions, one each, with continued lines joined and comments dropped."""
    escape = _directives(text).get("escape", "\\")
    joined: list[str] = []
    continued = False
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        body = stripped.removesuffix(escape).rstrip()
        joined[-1:] = [f"{joined[-1]} {body}"] if continued else [*joined[-1:], body]
        continued = stripped.endswith(escape)
    return joined


def _directives(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        found[directive[1].lower()] = directive[2]
    return found


def _arguments(words: str, known: Mapping[str, str], build_args: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for word in words.split():
        name, _, default = word.partition("=")
        found[name] = build_args.get(name, _expand(default.strip("\"'"), known))
    return found


def _expand(text: str, variables: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        current = variables.get(match[1] or match[4], "")
        if match[2] == "-":
            return current or match[3]
        if match[2] == "+":
            return match[3] if current else ""
        return current

    return _VARIABLE.sub(value, text)
