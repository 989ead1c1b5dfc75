"""Check YAML and JSON before Checkov reads it: nesting depth, size with aliases expanded, and whether it parses at all.

It reads parser events and builds no document, so that an alias bomb stays small. Deliberately absent: whether a file is
meant to be YAML; the caller decides that.
"""

import re
from pathlib import Path
from typing import Any


def inspect(root: str, files: list[str], depth: int, nodes: int) -> dict[str, dict[str, Any]]:
    """By file: ``reason`` why it must not be scanned, ``broken`` why it is no YAML, or nothing."""
    return {path: inspect_text(Path(root, path).read_bytes(), depth, nodes) for path in files}


def inspect_text(content: bytes, depth: int, nodes: int) -> dict[str, Any]:
    """The verdict on one text; empty where nothing is wrong with it. ``nodes`` counts those behind aliases each time."""
    if content.count(b"[") + content.count(b"{") > depth and _bracket_depth(content) > depth:
        return {"reason": f"nested deeper than {depth} levels"}
    return _inspect_events(content, depth, nodes)


def _bracket_depth(content: bytes) -> int:
    deepest = depth = 0
    for bracket in re.finditer(rb"[\[\]{}]", content):
        depth = depth + 1 if bracket.group() in b"[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _inspect_events(content: bytes, most_depth: int, most_nodes: int) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    nodes = 0
    sizes: dict[str, int] = {}
    open_collections: list[tuple[str | None, int]] = []
    try:
        for event in yaml.parse(content, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                open_collections.append((event.anchor, nodes))
                if len(open_collections) > most_depth:
                    return {"reason": f"nested deeper than {most_depth} levels"}
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = open_collections.pop()
                if anchor:
                    sizes[anchor] = nodes - before
            elif isinstance(event, yaml.AliasEvent) and event.anchor in {name for name, _ in open_collections}:
                return {"reason": "a YAML alias refers to what it is inside of"}
            if isinstance(event, yaml.NodeEvent):
                nodes += sizes.get(event.anchor or "", 1) if isinstance(event, yaml.AliasEvent) else 1
            if nodes > most_nodes:
                return {"reason": f"more than {most_nodes} YAML nodes, with its aliases written out"}
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        return {"broken": " ".join(str(error).split())[:300]}
    return {}
