"""Look at YAML and JSON before Checkov does: how deep, how many aliases, is it readable at all.

It reads events of the parser and builds nothing, so that a bomb stays small. Deliberately absent: an opinion on
files that nobody takes for YAML of theirs; that is the caller's.
"""

import re
from pathlib import Path
from typing import Any

_TEMPLATE = re.compile(rb"\{\{|\{%|<%")


def inspect(root: str, files: list[str], depth: int, aliases: int) -> dict[str, dict[str, Any]]:
    """By file: ``reason`` why it must not be scanned, or ``broken`` why it is no YAML, or nothing."""
    return {path: inspect_text(Path(root, path).read_bytes(), depth, aliases) for path in files}


def inspect_text(content: bytes, depth: int, aliases: int) -> dict[str, Any]:
    """The verdict on one text; empty where nothing is wrong with it."""
    if content.count(b"[") + content.count(b"{") > depth and _bracket_depth(content) > depth:
        return {"reason": f"nested deeper than {depth} levels"}
    return _inspect_events(content, depth, aliases)


def _bracket_depth(content: bytes) -> int:
    deepest = depth = 0
    for bracket in re.finditer(rb"[\[\]{}]", content):
        depth = depth + 1 if bracket.group() in b"[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _inspect_events(content: bytes, most_depth: int, most_aliases: int) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = aliases = 0
    try:
        for event in yaml.parse(content, Loader=loader):
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > most_depth:
                    return {"reason": f"nested deeper than {most_depth} levels"}
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
            elif isinstance(event, yaml.AliasEvent):
                aliases += 1
                if aliases > most_aliases:
                    return {"reason": f"more than {most_aliases} YAML aliases"}
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        if not _TEMPLATE.search(content):
            return {"broken": " ".join(str(error).split())[:300]}
    return {}
