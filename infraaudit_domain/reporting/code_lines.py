"""Lines of code as people are shown them: with numbers, bounded, and without secrets. Deliberately absent: reading them.

What looks like a secret is masked by its form (log_lines.py), by the name that it is assigned to, and by what stands around
it (secret_values.py); of a line that the scanner found a secret in, nothing that stands after a name is left.
"""

import re
from collections.abc import Collection

from infraaudit_domain.errors import excerpt
from infraaudit_domain.log_lines import mask_secrets
from infraaudit_domain.reporting.secret_values import SECRET_NAME, mask_beside, secret_value_lines

MOST_LINES = 40
_LONGEST = 300
_ASSIGNED = re.compile(
    rf"""([\w.-]*{SECRET_NAME}[\w.-]*["']?\s*(?:=>|[:=])\s*)"""
    r"""("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"',;}]+)""",
    re.IGNORECASE,
)
_ENV = re.compile(rf"""^(\s*(?:ENV|ARG)\s+[\w.-]*{SECRET_NAME}[\w.-]*\s+)[^\s=].*$""", re.IGNORECASE)
_NO_SECRET = re.compile(r"(?:true|false|null|none|yes|no|\d{1,9}|\$.*|[\[{(].*|[a-z_]+\.[\w.\[\]\"-]+)", re.IGNORECASE)
"""Values that are none: switches, small numbers, and what names another value."""
_NAME = re.compile(r"""^(\s*(?:-\s*|[+#/]*\s*)(?:[\w.-]+\s+)?["']?[\w.-]+["']?\s*(?:=>|[:=])).*$""")
_NEXT_LINE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def code_lines(text: str, first: int, last: int, secret_lines: Collection[int] = ()) -> list[tuple[int, str]]:
    """The lines from one to another, both included and counted from 1, each with its number; at most forty of them."""
    # Not splitlines: a form feed or U+2028 in a line is no end of it to the scanner and to Git.
    lines = text.split("\n")
    masked = {*secret_lines, *secret_value_lines(text)}
    in_key = False
    found = []
    for number in range(max(first, 1), min(last, first + MOST_LINES - 1, len(lines)) + 1):
        line = lines[number - 1].rstrip("\r")
        in_key = bool(in_key or _NEXT_LINE.search(line))
        found.append((number, _shown(line, number in masked or in_key)))
        in_key = in_key and "-----END" not in line
    return found


def numbered(lines: list[tuple[int, str]]) -> str:
    """The lines as one text, each behind its number."""
    width = max((len(str(number)) for number, _ in lines), default=0)
    return "\n".join(f"{number:>{width}}  {line}".rstrip() for number, line in lines)


def _shown(line: str, has_secret: bool) -> str:
    if has_secret:
        named = _NAME.match(line)
        return f"{named.group(1)} ***" if named else "***"
    masked = _ENV.sub(r"\1***", mask_beside(line[:_LONGEST]))
    masked = _ASSIGNED.sub(_mask, mask_secrets(masked, _NO_SECRET))
    indent = masked[: len(masked) - len(masked.lstrip(" \t"))].replace("\t", "    ")
    return indent + excerpt(masked, _LONGEST) + (" …" if len(line) > _LONGEST else "")


def _mask(match: re.Match[str]) -> str:
    value = match.group(2)
    quote = value[0] if value[0] in "\"'" else ""
    return match.group(0) if _NO_SECRET.fullmatch(value.strip(quote)) else f"{match.group(1)}{quote}***{quote}"
