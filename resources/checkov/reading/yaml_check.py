"""Check YAML and JSON before Checkov reads it: nesting depth, size with aliases expanded, and whether it parses at all.

It reads parser events and builds no document, so that an alias bomb stays small. Deliberately absent: whether a file is
meant to be YAML; the caller decides that.
"""

import re
from pathlib import Path
from typing import Any

from resources.machine.yaml_text import Bounds, fault_of


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


def _inspect_events(content: bytes, depth: int, nodes: int) -> dict[str, Any]:
    import yaml

    try:
        fault = fault_of(content, Bounds(depth=depth, nodes=nodes, aliases=True))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        return {"broken": " ".join(str(error).split())[:300]}
    return {"reason": fault} if fault else {}
