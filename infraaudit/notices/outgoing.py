"""Send the notices of the outbox that are due, several at a time.

Where an address of a project does not answer, the project's other notices are postponed, so that they do not all wait
for it. Deliberately absent: how a notice is sent (resources/notifier.py).
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from resources.history.outbox import TakenNotice, postpone_notice, settle_notice, take_notices
from resources.history.store import History
from resources.notifier import AT_ONCE, Notifier, Sending

_PAUSE = timedelta(seconds=5)
_LOG = logging.getLogger("infraaudit.notices")


def send_notices(history: History, notifier_of: Callable[[str], Notifier], seconds: float = 20) -> int:
    """Send due notices, for about ``seconds``; returns the number of fully delivered ones.

    ``notifier_of`` gives a project's notifier, also of a project that is no longer configured.
    """
    end, sent = time.monotonic() + seconds, 0
    send = partial(_send_unless_silent, notifier_of, set[str]())
    while time.monotonic() < end and (taken := take_notices(history, datetime.now(UTC), AT_ONCE)):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # Recorded by this thread alone: several writers of one database only wait for each other.
            for one, done in zip(taken, pool.map(send, taken), strict=True):
                sent += _settle(history, one, done)
    return sent


def _send_unless_silent(notifier_of: Callable[[str], Notifier], silent: set[str], taken: TakenNotice) -> Sending | None:
    """None where an address of the project has just failed, so that this one was not tried."""
    if taken.notice.project in silent:
        return None
    done = notifier_of(taken.notice.project).send(taken.notice, taken.accepted_by)
    if done.fault:
        silent.add(taken.notice.project)
    return done


def _settle(history: History, taken: TakenNotice, done: Sending | None) -> bool:
    now = datetime.now(UTC)
    if done is None:
        postpone_notice(history, taken, now + _PAUSE)
        return False
    settle_notice(history, taken, now, done.accepted_by, done.fault)
    if done.fault:
        _LOG.warning("Notice %s of %s waits: %s", taken.notice.key, taken.notice.project, done.fault)
    else:
        _LOG.warning("%s\n%s", taken.notice.title, taken.notice.body)
    return done.fault is None
