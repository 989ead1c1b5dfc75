"""What a text in YAML or JSON plainly is: its documents, and the formats that their outermost keys show.

As in appearance.py nothing has to be well-formed for that, and every search is linear in the text.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from infraaudit_domain.scans.appearance import LAST_LINE, Part, text_of


def documents(content: bytes) -> tuple[Part, ...]:
    """The documents of a text in YAML or JSON that hold anything, with the formats that their keys show."""
    text = text_of(content)
    if "\\" in text:
        text, is_folded = _without_escapes(text)
        if is_folded:  # its lines are no longer those that a parser counts
            return tuple(replace(part, first=1, last=LAST_LINE) for part in _documents(text))
    return tuple(_documents(text))


def separated(text: str) -> Iterator[str]:
    """The documents of a text that a program wrote, with their comments, each without the marker before it."""
    starts = [0, *(match.start() for match in _MARKER.finditer(text)), len(text)]
    return (_MARKER.sub("   ", text[start:end], count=1) for start, end in pairwise(starts))


_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|$)", re.MULTILINE)
_FIRST = re.compile(r"^[ \t]*(?:[^\s#%{]|\{(?![{%]))", re.MULTILINE)
"""A line that is no comment, no directive and no command of a template."""
_ANY = re.compile(r"^[ \t]*[^\s#]", re.MULTILINE)


def json_text(content: bytes) -> tuple[Part, ...]:
    """The text as a whole, with the format that it shows: JSON has one document, whatever stands in its lines."""
    text, _ = _without_escapes(text_of(content))
    # Comments before the first brace are none of JSON, but of the tools that read it, and hide no format.
    body = text[start:] if (start := text.find("{")) != -1 else text
    return tuple(_with_resources(Part(1, LAST_LINE, "", _formats(body)), text)) if text.strip() else ()


def _documents(text: str) -> Iterator[Part]:
    if _is_torn(text):
        yield from _with_resources(Part(1, LAST_LINE, "", _formats(text)), text)
        return
    starts = [0, *(match.start() for match in _MARKER.finditer(text)), len(text)]
    line = 1
    for start, end in pairwise(starts):
        document = text[start:end]
        lines = document.count("\n")
        body = _MARKER.sub("   ", document, count=1)
        if _ANY.search(body):
            part = Part(line, line + max(0, lines - (end < len(text))), "", _formats(body))
            yield from _with_resources(part, body)
        line += lines


_COMMENTS = re.compile(r"#[^\n]*")
_TYPES = {
    "arm": re.compile(r""""type"[ \t]*:[ \t]*"([A-Za-z]+(?:\.[A-Za-z]+)+/[\w/]+)\""""),
    "cloudformation": re.compile(
        r"""\bType["']?[ \t]*:[ \t]*["']?((?:AWS|Alexa)::\w+::\w+)["']?(?=[ \t,}\n]|$)"""
        r"""|\bFn::(ForEach)::\w+["']?[ \t]*:""",
        re.MULTILINE,
    ),
}


def _with_resources(part: Part, body: str) -> Iterator[Part]:
    """A document, and where it is a template the types of resources that stand in it, each once."""
    yield part
    code = body if body.lstrip()[:1] == "{" else _COMMENTS.sub("", body)
    for framework, pattern in _TYPES.items():
        if framework in part.meant_for:
            for name in sorted({match.group(match.lastindex or 0) for match in pattern.finditer(code)}):
                yield replace(part, name=name, meant_for=frozenset({framework}))


def _is_torn(text: str) -> bool:
    """Whether what looks like the end of a document stands in the middle of its brackets."""
    first, marker = _FIRST.search(text), _MARKER.search(text)
    if first is None or marker is None or first.group()[-1] not in "{[" or first.start() > marker.start():
        return False
    brackets = _BRACKET.findall(text[: marker.start()])
    return sum(1 if bracket in "{[" else -1 for bracket in brackets) != 0


_BRACKET = re.compile(r"[{}\[\]]")


def _formats(body: str) -> frozenset[str]:
    keys, is_list = _keys(body)
    found = {name for name, shows in _FORMATS.items() if shows(keys, body)} if keys else set()
    if is_list and _TASK.search(body):
        found.add("tasks")
        if _PLAYBOOK.search(body):
            found.add("ansible")
    if _PLAY.search(body):
        found.add("ansible")
    if "{{" in body or "{%" in body or "<%" in body:
        found.add("template")
    return frozenset(found)


_TASK = re.compile(r"^[ \t]*-[ \t]+(?:name|hosts|block|import_playbook)[ \t]*:", re.MULTILINE)
_PLAYBOOK = re.compile(
    r"^[ \t]*(?:-[ \t]+)?(?:hosts|tasks|pre_tasks|become|ansible\.builtin\.\w+)[ \t]*:", re.MULTILINE
)
_PLAY = re.compile(r"^-[ \t]+hosts[ \t]*:", re.MULTILINE)
_AWS = re.compile(r"\b(?:AWS|Alexa|Custom)::\w")
_ARM = re.compile(r"eploymentTemplate\.json")
_KIND = re.compile(r"""^[ \t{,]*["']?kind["']?[ \t]*:[ \t]*["']?(\w+)""", re.MULTILINE)
_WORKFLOWS = re.compile(r"""apiVersion["']?[ \t]*:[ \t]*["']?argoproj\.io/""")
_MANIFEST = {"apiVersion", "kind", "metadata", "spec"}


def _is_manifest(keys: set[str], body: str) -> bool:
    """Two of a manifest's four keys: one may be lost to a slip of the pen, and it is a manifest still."""
    if len(keys & _MANIFEST) < 2:
        return False
    kind = _KIND.search(body)
    return kind is None or kind.group(1) not in ("Kustomization", "Component")


def _is_workflow(keys: set[str], body: str) -> bool:
    kind = _KIND.search(body)
    return (
        "kind" in keys and kind is not None and kind.group(1).startswith("Workflow") and bool(_WORKFLOWS.search(body))
    )


_FORMATS: Mapping[str, Callable[[set[str], str], bool]] = {
    "kubernetes": _is_manifest,
    "argo_workflows": _is_workflow,
    "cloudformation": lambda keys, body: (
        bool(keys & {"Resources", "AWSTemplateFormatVersion"}) and bool(_AWS.search(body))
    ),
    "arm": lambda keys, body: {"resources", "contentVersion"} <= keys or bool(_ARM.search(body)),
    "openapi": lambda keys, body: (
        {"info", "paths"} <= keys or (bool(keys & {"swagger", "openapi"}) and bool(keys & {"info", "paths"}))
    ),
    "terraform_plan": lambda keys, body: (
        "terraform_version" in keys and bool(keys & {"planned_values", "resource_changes"})
    ),
}
_TELLING = (
    "apiVersion", "kind", "metadata", "spec", "Resources", "AWSTemplateFormatVersion", "$schema", "contentVersion",
    "resources", "swagger", "openapi", "info", "paths", "terraform_version", "planned_values", "resource_changes",
)  # fmt: skip
_TELLING_KEY = "|".join(map(re.escape, _TELLING))
_KEY = re.compile(rf"""^([ \t]*)(?:\?[ ]+)?(["']?)({_TELLING_KEY})\2[ \t]*:(?=[ \t\n]|$)""", re.MULTILINE)
_ANYWHERE = re.compile(rf"""(?<![\w$])({_TELLING_KEY})["']?[ \t]*:""")
_INSIDE = re.compile(r""""((?:[^"\\]|\\.)*)(?:"|\Z)|'([^']*)(?:'|\Z)|([\w$./-]+)|([{}\[\]:])""", re.DOTALL)


def _keys(body: str) -> tuple[set[str], bool]:
    """The distinctive ones among a document's outermost keys, and whether it is a list instead."""
    first = _FIRST.search(body)
    if first is None:
        return {match.group(3) for match in _KEY.finditer(body)}, False
    start = first.group()
    if start[-1] == "{":
        return _keys_in_braces(body), False
    # Under a tag or an anchor is the mapping that it belongs to.
    indentation = "" if start[-1] in "!&" else start[:-1]
    is_list = start[-1] == "-" and body[first.end() : first.end() + 1] in (" ", "\t", "\n")
    # What stands further to the left than the first line is outermost as well, and the document is broken.
    outermost = {"", indentation}
    return {match.group(3) for match in _KEY.finditer(body) if match.group(1) in outermost}, is_list


def _keys_in_braces(body: str) -> set[str]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _visible_keys(body)
    return {key for key in document if key in _TELLING} if isinstance(document, dict) else set()


_PAIRS = {"}": "{", "]": "["}


def _visible_keys(body: str) -> set[str]:
    """Keys one bracket deep; at any depth where brackets or quotes do not match, as nobody knows how deep then."""
    word = ""
    opened: list[str] = []
    found: set[str] = set()
    for match in _INSIDE.finditer(body):
        token = match.group(4)
        if token is None:
            word = match.group(1) or match.group(2) or match.group(3) or ""
            if "\n" in word:
                return set(_ANYWHERE.findall(body))
            continue
        if token == ":" and word in _TELLING and len(opened) == 1:
            found.add(word)
        elif token in "{[":
            opened.append(token)
        elif token in "}]" and (not opened or opened.pop() != _PAIRS[token]):
            return set(_ANYWHERE.findall(body))
        word = ""
    return set(_ANYWHERE.findall(body)) if opened else found


_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_FOLD = re.compile(r"\\\n[ \t]*")


def _without_escapes(text: str) -> tuple[str, bool]:
    """The text with letters that were written as numbers, and whether lines were joined."""
    joined = _FOLD.sub("", text)
    return _ESCAPE.sub(_letter, joined), len(joined) != len(text)


def _letter(escape: re.Match[str]) -> str:
    code = int(escape.group(1) or escape.group(2) or escape.group(3), 16)
    return chr(code) if 0x20 < code < 0x7F and code not in (0x22, 0x5C) else "_"
