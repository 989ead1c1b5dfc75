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
from infraaudit_domain.reporting.recipients import Address
from resources.history.outbox import TakenNotice, hold_notice, settle_notice, take_held_notices
from resources.history.store import History
from resources.notifier import AT_ONCE, Notifier, send

_IN_ONE = 500
"""Notices that are taken together; those beyond make another message."""
_LOG = logging.getLogger("infraaudit.notices")


def send_digests(history: History, notifier_of: Callable[[str], Notifier], end: float) -> int:
    """Send the digests that are due, until a moment of the monotonic clock; returns how many notices were in them."""
    sent = 0
    while time.monotonic() < end and (taken := take_held_notices(history, datetime.now(UTC), _IN_ONE)):
        now = datetime.now(UTC)
        pending = {one.notice.key: _pending(notifier_of(one.notice.project), one) for one in taken}
        faults = _send(_by_address(taken, pending, now))
        for one in taken:
            sent += _settle(history, one, pending[one.notice.key], faults, now)
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


def _settle(
    history: History,
    one: TakenNotice,
    pending: Mapping[Address, datetime | None],
    faults: Mapping[Address, str | None],
    now: datetime,
) -> bool:
    tried = {address: faults[address] for address in pending if address in faults and _is_due(pending[address], now)}
    accepted = one.accepted_by | {address.id for address, fault in tried.items() if fault is None}
    wrong = "; ".join(fault for fault in tried.values() if fault)
    later = [until for until in pending.values() if until is not None and until > now]
    if wrong:
        _LOG.warning("Notice %s of %s waits: %s", one.notice.key, one.notice.project, wrong)
        settle_notice(history, one, now, accepted, wrong)
    elif later:
        hold_notice(history, one, accepted, min(later))
    else:
        settle_notice(history, one, now, accepted, None)
    return not wrong and not later


def _is_due(until: datetime | None, now: datetime) -> bool:
    return until is None or until <= now
