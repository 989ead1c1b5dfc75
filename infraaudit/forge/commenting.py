"""Send the comments of a project's requests: one each, written once and edited from then on.

A comment that was sent under an id which nobody stored is found by its mark first. What a forge refuses of a comment does
not hold up the statuses: a token may have the right to set those alone. Deliberately absent: what a comment says.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec, TypeVar

from infraaudit_domain.forge.answers import Answer, Result
from infraaudit_domain.forge.comments import marked
from resources.forge.client import ForgeClient
from resources.forge.comments import edit_comment, find_comment, write_comment
from resources.history import History
from resources.history.forge.comments import (
    TakenComment,
    forget_comment,
    give_up_comment,
    postpone_comment,
    settle_comment,
    take_comment,
)
from resources.history.forge.faults import clear_fault, note_fault

_MOST_ATTEMPTS = 6
_MOST_WHILE_BUSY = 100
"""Some hours: of a forge that is away, or of one comment on which it fails."""
_LOG = logging.getLogger("infraaudit.forge")
_Given = ParamSpec("_Given")
_Got = TypeVar("_Got")


async def send_comments(history: History, project: str, client: ForgeClient, threads: Executor) -> int:
    """Send what is due of a project; returns how many comments its forge took."""

    async def stored(work: Callable[_Given, _Got], *args: _Given.args, **kwargs: _Given.kwargs) -> _Got:
        return await asyncio.get_running_loop().run_in_executor(threads, partial(work, *args, **kwargs))

    taken_by_forge = 0
    while (taken := await stored(take_comment, history, project, datetime.now(UTC))) is not None:
        answer, comment_id = await _shown(client, taken)
        taken_by_forge += answer.result is Result.TAKEN
        await stored(_settle, history, taken, answer, comment_id)
        if answer.result is Result.BUSY:
            break
    return taken_by_forge


async def _shown(client: ForgeClient, taken: TakenComment) -> tuple[Answer, str]:
    """Have the forge show a comment; returns what it said, and the comment's id where one is known."""
    text, comment_id = marked(taken.text, taken.mark), taken.comment_id
    if not comment_id and taken.was_tried:
        answer, found = await find_comment(client, taken.number, taken.mark)
        if answer.result is not Result.TAKEN:
            return answer, ""
        comment_id = found.id if found else ""
    if comment_id:
        return await edit_comment(client, taken.number, comment_id, text), comment_id
    return await write_comment(client, taken.number, text)


def _settle(history: History, taken: TakenComment, answer: Answer, comment_id: str) -> None:
    most = _MOST_WHILE_BUSY if answer.result is Result.BUSY else _MOST_ATTEMPTS
    now, is_last = datetime.now(UTC), taken.attempts + 1 >= most
    match answer.result:
        case Result.TAKEN:
            settle_comment(history, taken, comment_id, now)
            clear_fault(history, taken.project)
        case Result.BUSY if answer.pause is not None:
            # What the forge asks for is asked for statuses, too.
            postpone_comment(history, taken, now, answer.words, is_counted=False)
            note_fault(history, taken.project, answer.words, now, answer.pause)
        case Result.ABSENT if comment_id and not is_last:
            forget_comment(history, taken, now, answer.words)
        case Result.BUSY | Result.ABSENT | Result.DENIED if not is_last:
            postpone_comment(history, taken, now, answer.words)
        case _:
            give_up_comment(history, taken, now, answer.words)
            where = taken.number, taken.project
            _LOG.warning("The comment of request %d of %s is given up until its next verdict: %s", *where, answer.words)
