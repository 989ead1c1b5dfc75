"""Terraform's ``moved`` blocks: what a commit itself says of resources and module calls that have a new address.

Deliberately absent: which files are read (infraaudit/scans/moved_blocks.py), and other languages.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from infraaudit_domain.scans.findings import Finding
from infraaudit_domain.scans.resource_names import scopes

_BLOCK = re.compile(r"^[ \t]*moved[ \t]*\{([^{}]{0,2000})\}", re.MULTILINE)
_SIDE = re.compile(r'\b(from|to)[ \t]*=[ \t]*([\w.\-]+(?:\[(?:"[^"\n]*"|\d+)\][\w.\-]*)*)')
_LINE_COMMENT = re.compile(r"(?:#|//).*")
_END_OF_NAME = re.compile(r"(?=[.\[])|$")
_DESTINATIONS = 32
"""How many addresses are followed from one resource: a to b, b to c."""


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


@dataclass(frozen=True, slots=True)
class Destination:
    """An address that blocks lead to, and what is known of the file of the resource there."""

    address: str
    folder: str | None
    in_same_folder: bool = False
    """Where a whole call moved, what it calls stays where it is."""

    def is_of(self, old: Finding, new: Finding) -> bool:
        """Whether one resource is here and was the other before; both files are named as they are now."""
        here, before = posixpath.dirname(new.file_path), posixpath.dirname(old.file_path)
        is_near = self.folder in (None, here) and (not self.in_same_folder or here == before)
        return self.address == new.resource and is_near


class MovedBlocks:
    """The blocks of a commit, found by what they lead from: a call, or a resource of the block's own folder."""

    def __init__(self, moves: Iterable[Move]) -> None:
        self._from: dict[tuple[str | None, str], list[Move]] = defaultdict(list)
        for move in moves:
            self._from[None if _is_call(move.source) else move.folder, move.source].append(move)

    def destinations(self, old: Finding) -> list[Destination]:
        """Where a resource may be now, after any number of blocks up to a bound."""
        found = [Destination(old.resource, posixpath.dirname(old.file_path))]
        for one in found:
            fresh = (there for there in self._next(one) if there not in found)
            found += islice(fresh, _DESTINATIONS - len(found))
        return found[1:]

    def _next(self, now: Destination) -> Iterator[Destination]:
        for scope in scopes(now.address):
            inside = now.address[len(scope) :]
            for end in (match.start() for match in _END_OF_NAME.finditer(inside)):
                folder = None if _is_call(inside[:end]) else now.folder
                for move in self._from.get((folder, inside[:end]), ()):
                    yield _after(move, now, f"{scope}{move.target}{inside[end:]}")


def _after(move: Move, now: Destination, address: str) -> Destination:
    folder = None if _is_call(move.target) else move.folder
    is_whole_call = scopes(f"{move.source}.")[-1] == f"{move.source}."
    return Destination(address, folder, now.in_same_folder or is_whole_call)


def _is_call(address: str) -> bool:
    return address.startswith("module.")


def _without_block_comments(text: str) -> str:
    kept, at = [], 0
    while (start := text.find("/*", at)) >= 0 and (end := text.find("*/", start + 2)) >= 0:
        kept.append(text[at:start])
        at = end + 2
    return "".join([*kept, text[at : start if start >= 0 else None]])
