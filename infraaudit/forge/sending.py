"""Send what a project's forge is to show, one status after the other, until nothing is due or the forge wants none.

Deliberately absent: which projects have something to send (service/workers/forge_worker.py), and how a forge is asked
(resources/forge).
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec, TypeVar

from infraaudit_domain.forge.answers import Answer, Result
from resources.forge.client import ForgeClient
from resources.history import History
from resources.history.forge.faults import clear_fault, faults, note_fault
from resources.history.forge.statuses import TakenStatus, give_up_status, postpone_status, settle_status, take_status

_MOST_ATTEMPTS = 6
"""For a commit that the forge does not have: a push may be known here first, and a force-push takes commits away. And for
what it fails on while it takes others: a protected branch may be closed to our token."""
_DENIED_SECONDS = 600.0
_LOG = logging.getLogger("infraaudit.forge")
_Given = ParamSpec("_Given")
_Got = TypeVar("_Got")


async def send_statuses(
    history: History, project: str, client: ForgeClient, link: Callable[[str], str], threads: Executor
) -> int:
    """Send what is due of a project; returns how many statuses its forge took. ``link`` is that of a commit."""

    async def stored(work: Callable[_Given, _Got], *args: _Given.args, **kwargs: _Given.kwargs) -> _Got:
        return await asyncio.get_running_loop().run_in_executor(threads, partial(work, *args, **kwargs))

    taken_by_forge = 0
    while (taken := await stored(take_status, history, project, datetime.now(UTC))) is not None:
        if taken.is_sent:
            await stored(settle_status, history, taken, datetime.now(UTC))
            continue
        answer = await client.set_status(taken.sha, taken.status, link(taken.sha))
        taken_by_forge += answer.result is Result.TAKEN
        if not await stored(_settle, history, taken, answer):
            break
    return taken_by_forge


def _settle(history: History, taken: TakenStatus, answer: Answer) -> bool:
    """Record an answer; returns whether the forge may be asked for more."""
    now = datetime.now(UTC)
    is_last = taken.attempts + 1 >= _MOST_ATTEMPTS
    match answer.result:
        case Result.TAKEN:
            settle_status(history, taken, now)
            if clear_fault(history, taken.project):
                _LOG.warning("The forge of %s takes statuses again", taken.project)
        case Result.REJECTED:
            _give_up(history, taken, now, answer)
        case Result.ABSENT if is_last:
            _give_up(history, taken, now, answer)
        case Result.ABSENT:
            postpone_status(history, taken, now, answer.words)
        case Result.BUSY | Result.DENIED:
            # Where the forge took others since its last fault, the fault may be this one's: such attempts alone count.
            is_counted = taken.project not in faults(history)
            if is_counted and is_last:
                _give_up(history, taken, now, answer)
                return True
            postpone_status(history, taken, now, answer.words, is_counted)
            _note(history, taken.project, answer, now)
            return False
    return True


def _give_up(history: History, taken: TakenStatus, now: datetime, answer: Answer) -> None:
    give_up_status(history, taken, now, answer.words)
    where = taken.status.context, taken.sha[:12]
    _LOG.warning("The forge of %s will not take %s of %s: %s", taken.project, *where, answer.words)


def _note(history: History, project: str, answer: Answer, now: datetime) -> None:
    """Record why a forge takes nothing, and that it is left alone for a while."""
    pause = answer.pause if answer.result is Result.BUSY else _DENIED_SECONDS
    if note_fault(history, project, answer.words, now, pause):
        next_step = f"`infraaudit forge test --project {project}` says what is wrong"
        _LOG.warning("The forge of %s takes no statuses: %s; %s", project, answer.words, next_step)
