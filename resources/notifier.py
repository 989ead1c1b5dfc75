"""Send notices: to http(s) addresses as JSON, to everything else by apprise; and work off the outbox.

A notice goes once to each address: those that accepted it are not asked again when another one failed. Where an
address of a project does not answer, the project's other notices wait a moment, so that they do not each wait for it.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from infraaudit_assets.domain.errors import excerpt
from infraaudit_assets.domain.notices import Address, Notice
from resources.history import History
from resources.history.outbox import TakenNotice, postpone_notice, settle_notice, take_notices

if TYPE_CHECKING:
    import httpx

_AT_ONCE = 8
_PAUSE = timedelta(seconds=5)
_SECONDS = 10
_LOG = logging.getLogger("infraaudit.notices")


@dataclass(frozen=True, slots=True)
class Sending:
    """Which addresses have a notice now, and what went wrong with the others."""

    accepted_by: frozenset[str]
    fault: str | None


class Notifier:
    """Sends to fixed addresses; with none, a notice is only in the log."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = tuple(addresses)

    def send(self, notice: Notice, accepted_by: Collection[str] = ()) -> Sending:
        """Send to every address that wants the notice and has not accepted it before."""
        accepted, faults = set(accepted_by), []
        for address in self.addresses:
            if address.id in accepted or not address.wants(notice):
                continue
            fault = _send(address.url, notice)
            if fault is None:
                accepted.add(address.id)
            else:
                faults.append(fault)
        return Sending(frozenset(accepted), "; ".join(faults) or None)


def deliver_notices(history: History, notifier_of: Callable[[str], Notifier], seconds: float = 20) -> int:
    """Send what is due, for about ``seconds``; returns how many notices everyone has now.

    ``notifier_of`` gives a project's notifier; it is asked for names that are no longer configured too.
    """
    end, sent = time.monotonic() + seconds, 0
    send = partial(_send_unless_silent, notifier_of, set[str]())
    while time.monotonic() < end and (taken := take_notices(history, datetime.now(UTC), _AT_ONCE)):
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            # Settled by this thread alone: writers of one database only wait for each other.
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


def _send(url: str, notice: Notice) -> str | None:
    if url.startswith(("http://", "https://")):
        return _post(url, notice)
    import apprise

    kind = "info" if notice.urgency == "info" else "failure"
    sender = apprise.Apprise()
    scheme = url.partition(":")[0]
    if not sender.add(url):
        return f"apprise knows no {scheme}: URL like the configured one"
    return None if sender.notify(notice.body, notice.title, notify_type=kind) else f"{scheme}: was not accepted"


def _post(url: str, notice: Notice) -> str | None:
    import httpx

    # A receiver that answered too late is asked again: the key tells it that it has the notice.
    headers = {"Idempotency-Key": notice.key}
    try:
        _client().post(url, json=asdict(notice), headers=headers).raise_for_status()
    except httpx.HTTPStatusError as error:
        return f"the webhook answered {error.response.status_code}"
    except httpx.HTTPError as error:
        return f"the webhook does not answer: {excerpt(str(error), 200)}"
    return None


@lru_cache(maxsize=1)
def _client() -> "httpx.Client":
    """One for all: making its TLS context takes longer than sending."""
    import httpx

    return httpx.Client(timeout=_SECONDS, limits=httpx.Limits(max_keepalive_connections=_AT_ONCE))
