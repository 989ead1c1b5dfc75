"""Send the notices of the outbox that are due, several at a time.

Where an address does not answer, the other notices to the same owners of the project are postponed, so that they do not
all wait for it. What nobody receives is undelivered, and sent after all where an address is configured within a day.
Deliberately absent: how a notice is sent (resources/notifier.py).
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from infraaudit.notices.digests import send_digests
from infraaudit_domain.reporting.recipients import unheard
from resources.history.outbox import (
    UNHEARD_FOR,
    TakenNotice,
    deliver_again,
    held,
    postponed,
    record,
    settled,
    take_notices,
    undelivered,
    undelivered_projects,
)
from resources.history.store import History
from resources.notifier import AT_ONCE, Notifier, Sending

_Audience = tuple[str, tuple[str, ...]]
"""A project and owners: those to whom the same addresses belong."""
_PAUSE = timedelta(seconds=5)
_LOG = logging.getLogger("infraaudit.notices")


def send_notices(history: History, notifier_of: Callable[[str], Notifier], seconds: float = 20) -> int:
    """Send due notices, for about ``seconds``; returns the number of fully delivered ones.

    ``notifier_of`` gives a project's notifier, also of a project that is no longer configured.
    """
    end, sent = time.monotonic() + seconds, 0
    _deliver_again(history, notifier_of)
    send = partial(_send_unless_silent, notifier_of, set[_Audience]())
    while time.monotonic() < end and (taken := take_notices(history, datetime.now(UTC), AT_ONCE)):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # Recorded by this thread alone: several writers of one database only wait for each other.
            for one, done in zip(taken, pool.map(send, taken), strict=True):
                sent += _settle(history, one, done)
    return sent + send_digests(history, notifier_of, end)


def _deliver_again(history: History, notifier_of: Callable[[str], Notifier]) -> None:
    """Have what was undelivered wait again where somebody is configured to receive it by now."""
    since = datetime.now(UTC) - UNHEARD_FOR
    for project in undelivered_projects(history, since):
        recipients = notifier_of(project).recipients
        # Where nobody is configured at all, every round would read a day's notices for nothing.
        if recipients.lists or recipients.routes:
            deliver_again(history, project, since, lambda notice, known=recipients: not known.misses(notice))  # type: ignore[misc]


def _send_unless_silent(
    notifier_of: Callable[[str], Notifier], silent: set[_Audience], taken: TakenNotice
) -> Sending | None:
    """None where an address of those whom it concerns has just failed, so that this one was not tried."""
    audience = (taken.notice.project, taken.notice.owners)
    if audience in silent:
        return None
    done = notifier_of(taken.notice.project).send(taken.notice, taken.written_at, taken.accepted_by)
    if done.fault:
        silent.add(audience)
    return done


def _settle(history: History, taken: TakenNotice, done: Sending | None) -> bool:
    now, notice = datetime.now(UTC), taken.notice
    if done is None:
        record(history, [postponed(taken, now + _PAUSE)])
        return False
    if done.fault:
        record(history, [settled(taken, now, done.accepted_by, done.fault)])
        _LOG.warning("Notice %s of %s waits: %s", notice.key, notice.project, done.fault)
        return False
    _LOG.warning(
        "%s\n%s%s",
        notice.title,
        notice.body,
        f"\n({unheard(notice.project or 'any project')})" if done.is_missed else "",
    )
    if done.is_missed:
        change = undelivered(taken, now)
    elif done.held_until:
        change = held(taken, done.accepted_by, done.held_until)
    else:
        change = settled(taken, now, done.accepted_by, None)
    record(history, [change])
    return not done.is_missed and not done.held_until
