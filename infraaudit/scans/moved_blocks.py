"""The ``moved`` blocks of Terraform in the files that differ between two commits.

A block comes with the change that it describes. Deliberately absent: their meaning (infraaudit_domain/lifecycles/moved_blocks.py).
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.lifecycles.moved_blocks import Move, moves_in
from resources.git.mirror import Mirror

_LOG = logging.getLogger(__name__)
_FILES, _BYTES, _MOVES = 200, 1024 * 1024, 1000
"""How much of a commit is read; a refactoring of real code stays far below."""


def moves_between(mirror: Mirror, before: str, after: str) -> Callable[[], Sequence[Move]]:
    """Reads the blocks when it is called."""
    return lambda: list(islice(_moves(mirror, before, after), _MOVES))


def _moves(mirror: Mirror, before: str, after: str) -> Iterator[Move]:
    changed = (file.path for file in mirror.differing_files(before, after) if file.status != "D")
    for path in islice((path for path in changed if path.endswith((".tf", ".tofu"))), _FILES):
        try:
            text = mirror.read(after, path, _BYTES)
        except InfraAuditError as error:
            _LOG.warning("moved blocks of %s at %s are not followed: %s", path, after[:12], error)
            continue
        if text and b"moved" in text:
            yield from moves_in(path, text.decode("utf-8", "replace"))
