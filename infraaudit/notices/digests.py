"""Send what addresses collect: one message of all that waited for an address until its hour or day was over.

Deliberately absent: what is sent at once (outgoing.py).
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from infraaudit_domain.reporting.digest import digest_of
from infraaudit_domain.reporting.recipients import Address, unheard
from resources.history.outbox import Change, TakenNotice, held, record, settled, take_held_notices, undelivered
from resources.history.store import History
from resources.notifier import AT_ONCE, Notifier, send

_IN_ONE = 500
"""Notices that are taken together; those beyond make another message."""
_LOG = logging.getLogger("infraaudit.notices")


def send_digests(history: History, notifier_of: Callable[[str], Notifier], end: float) -> int:
    """Send the digests that are due, until a moment of the monotonic clock; returns how many notices were in them.

    Some are sent also when the moment has passed: what is sent at once may need all the time of every round.
    """
    sent = 0
    while taken := take_held_notices(history, datetime.now(UTC), _IN_ONE):
        now = datetime.now(UTC)
        pending = {one.notice.key: _pending(notifier_of(one.notice.project), one) for one in taken}
        faults = _send(_by_address(taken, pending, now))
        changes = [_change(one, notifier_of(one.notice.project), pending[one.notice.key], faults, now) for one in taken]
        # Together: the key of a digest names all that is in it, so that a part could not be recognised.
        record(history, changes)
        sent += sum("sent_at" in change.values for change in changes)
        if time.monotonic() >= end:
            break
    return sent


def _pending(notifier: Notifier, one: TakenNotice) -> dict[Address, datetime | None]:
    """The addresses that have not got a notice, and when each gets it; None is now."""
    return {
        address: address.collects_until(one.notice, one.written_at)
        for address in notifier.recipients.of(one.notice)
        if address.id not in one.accepted_by
    }


def _by_address(
    taken: list[TakenNotice], pending: Mapping[str, Mapping[Address, datetime | None]], now: datetime
) -> dict[Address, list[TakenNotice]]:
    found: dict[Address, list[TakenNotice]] = defaultdict(list)
    for one in taken:
        for address, until in pending[one.notice.key].items():
            if until is None or until <= now:
                found[address].append(one)
    return found


def _send(due: Mapping[Address, list[TakenNotice]]) -> dict[Address, str | None]:
    """Send one message to each address; returns what went wrong by address."""

    def deliver(address: Address) -> str | None:
        return send(address.url, digest_of(address.id, [one.notice for one in due[address]]))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(due, pool.map(deliver, due), strict=True))


def _change(
    one: TakenNotice,
    notifier: Notifier,
    pending: Mapping[Address, datetime | None],
    faults: Mapping[Address, str | None],
    now: datetime,
) -> Change:
    tried = {address: faults[address] for address in pending if address in faults and _is_due(pending[address], now)}
    accepted = one.accepted_by | {address.id for address, fault in tried.items() if fault is None}
    wrong = "; ".join(fault for fault in tried.values() if fault)
    later = [until for until in pending.values() if until is not None and until > now]
    if wrong:
        _LOG.warning("Notice %s of %s waits: %s", one.notice.key, one.notice.project, wrong)
        return settled(one, now, accepted, wrong)
    if later:
        return held(one, accepted, min(later))
    if not accepted and notifier.recipients.misses(one.notice):
        _LOG.warning("Notice %s is undelivered: %s", one.notice.key, unheard(one.notice.project or "any project"))
        return undelivered(one, now)
    return settled(one, now, accepted, None)


def _is_due(until: datetime | None, now: datetime) -> bool:
    return until is None or until <= now
