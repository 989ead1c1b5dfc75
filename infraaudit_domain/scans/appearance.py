"""What a text plainly is: its blocks or instructions, as a reader's eye finds them.

Nothing is parsed: a broken file still shows what it was written to be, and that must not depend on a parser that
skips it. Every search is linear in the text. Deliberately absent: YAML and JSON (documents.py), and who is to read a
file (expectation.py).
"""

import codecs
import re
from dataclasses import dataclass

LAST_LINE = 1 << 30


@dataclass(frozen=True, slots=True)
class Part:
    """A document, block or instruction of a text."""

    first: int
    """Its first line, from 1."""
    last: int
    name: str = ""
    """What a scanner calls it, where it does: ``aws_s3_bucket.b``, ``RUN``."""
    meant_for: frozenset[str] = frozenset()
    """Frameworks whose format it plainly has; ``template`` where another program is to fill it in first."""


def text_of(content: bytes) -> str:
    """The text of a file in whatever encoding, without a byte order mark, lines ended by one character each."""
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text = content.decode(encoding, "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


_RESOURCE = re.compile(r"""^resource[ \t]+["']?([\w-]+)["']?[ \t]+["']?([\w-]+)["']?[ \t]*\{""", re.MULTILINE)


def terraform_blocks(content: bytes) -> tuple[Part, ...]:
    """The text as a whole where there is more in it than comments, and each resource in it.

    Resources only where no text of several lines and no comment of several lines can hide what looks like one.
    """
    text = text_of(content)
    if not _has_code(text):
        return ()
    whole = Part(1, LAST_LINE)
    if "<<" in text or "/*" in text:
        return (whole,)
    return (whole, *(Part(1, LAST_LINE, f"{match[1]}.{match[2]}") for match in _RESOURCE.finditer(text)))


def terraform_in_hcl(content: bytes) -> tuple[Part, ...]:
    """The same of a text that is often another program's, as Packer's or Terragrunt's, and holds no resource then."""
    return terraform_blocks(content) if _RESOURCE.search(text_of(content)) else ()


def _has_code(text: str) -> bool:
    """Whether a line is left without comments."""
    kept: list[str] = []
    at = 0
    while (start := text.find("/*", at)) != -1:
        kept.append(text[at:start])
        end = text.find("*/", start + 2)
        at = end + 2 if end != -1 else len(text)
    return bool(_CODE.search("".join([*kept, text[at:]])))


_CODE = re.compile(r"^[ \t]*(?:[^\s/#]|/[^/])", re.MULTILINE)


def bicep_code(content: bytes) -> tuple[Part, ...]:
    """The text as a whole, where there is more in it than comments."""
    return (Part(1, LAST_LINE),) if _has_code(text_of(content)) else ()


_INSTRUCTION = re.compile(
    r"[ \t]*(FROM|RUN|CMD|LABEL|EXPOSE|ENV|ADD|COPY|ENTRYPOINT|VOLUME|USER|WORKDIR|ARG|ONBUILD|STOPSIGNAL|HEALTHCHECK"
    r"|SHELL|MAINTAINER)[ \t]+\S",
    re.IGNORECASE,
)
_HERE = re.compile(r"<<(-?)[\"']?(\w+)[\"']?")
_ESCAPED_BY = re.compile(r"^[ \t]*#[ \t]*escape[ \t]*=[ \t]*(\\|`)", re.IGNORECASE | re.MULTILINE)


def instructions(content: bytes) -> tuple[Part, ...]:
    """The instructions of a Dockerfile, without what lines of a here-document look like."""
    text = text_of(content)
    directive = _ESCAPED_BY.match(text)
    escape = directive.group(1) if directive else "\\"
    found: list[Part] = []
    waiting_for: list[str] = []
    is_continued = False
    for number, line in enumerate(text.split("\n"), start=1):
        if waiting_for:
            if line.strip() == waiting_for[0]:
                waiting_for.pop(0)
            continue
        if is_continued and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if not is_continued and (match := _INSTRUCTION.match(line)):
            found.append(Part(number, number, match.group(1).upper()))
            if match.group(1).upper() in ("RUN", "COPY", "ADD"):
                waiting_for = [word for _, word in _HERE.findall(line)]
        is_continued = line.rstrip().endswith(escape) and not line.lstrip().startswith("#")
    return tuple(found)
