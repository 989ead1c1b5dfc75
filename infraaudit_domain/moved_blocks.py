"""Terraform's ``moved`` blocks: what a commit itself says of resources and module calls that have a new address.

Deliberately absent: which files are read (infraaudit/scans/moved_blocks.py), and other languages.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infraaudit_domain.findings import Finding
from infraaudit_domain.resource_names import scopes

_BLOCK = re.compile(r"^[ \t]*moved[ \t]*\{([^{}]{0,2000})\}", re.MULTILINE)
_SIDE = re.compile(r'\b(from|to)[ \t]*=[ \t]*([\w.\-]+(?:\[(?:"[^"\n]*"|\d+)\][\w.\-]*)*)')
_LINE_COMMENT = re.compile(r"(?:#|//).*")
_HOPS = 8
"""How many blocks are followed one after the other: a to b, b to c."""


@dataclass(frozen=True, slots=True)
class Move:
    """One block: addresses in the module whose files are in ``folder``."""

    folder: str
    source: str
    target: str


def moves_in(path: str, text: str) -> list[Move]:
    """The moved blocks of a file of Terraform; time is linear in its length.

    >>> moves_in("net/main.tf", "moved {\\n  from = aws_vpc.a\\n  to   = aws_vpc.b\\n}")
    [Move(folder='net', source='aws_vpc.a', target='aws_vpc.b')]
    """
    folder, found = posixpath.dirname(path), []
    for block in _BLOCK.finditer(_without_block_comments(text)):
        sides = dict(_SIDE.findall(_LINE_COMMENT.sub("", block[1])))
        if len(sides) == len({"from", "to"}):
            found.append(Move(folder, sides["from"], sides["to"]))
    return found


def is_moved_to(old: Finding, new: Finding, moves: Sequence[Move]) -> bool:
    """Whether the blocks lead from one resource to another; both files are named as they are now."""
    reached, edge = {old.resource}, {old.resource}
    for _ in range(_HOPS):
        edge = {then for now in edge for then in _steps(now, old, new, moves)} - reached
        if new.resource in edge:
            return True
        reached |= edge
    return False


def _steps(address: str, old: Finding, new: Finding, moves: Iterable[Move]) -> Iterable[str]:
    for move in moves:
        if not _may_be_about(move, old, new):
            continue
        for scope in scopes(address):
            if (rest := _rest(address, scope + move.source)) is not None:
                yield f"{scope}{move.target}{rest}"


def _rest(address: str, start: str) -> str | None:
    """What follows the beginning of an address that ends with a whole name."""
    rest = address.removeprefix(start)
    return rest if address.startswith(start) and rest[:1] in ("", ".", "[") else None


def _may_be_about(move: Move, old: Finding, new: Finding) -> bool:
    """A resource outside of calls is in the block's own folder; where a call moves, what it calls keeps its file."""
    folders = {posixpath.dirname(old.file_path), posixpath.dirname(new.file_path)}
    are_calls = all(address.startswith("module.") for address in (move.source, move.target))
    return old.file_path == new.file_path if are_calls else move.folder in folders


def _without_block_comments(text: str) -> str:
    kept = []
    while "/*" in text:
        before, _, text = text.partition("/*")
        kept.append(before)
        text = text.partition("*/")[2]
    return "".join([*kept, text])
