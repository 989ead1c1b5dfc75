"""Send notices: to http(s) addresses as JSON, to everything else by apprise.

A notice goes once to each address: those that accepted it are not asked again when another one failed. Deliberately
absent: which notices are due (infraaudit/notices/outgoing.py).
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infraaudit_domain.errors import excerpt
from infraaudit_domain.reporting.notices import Notice
from infraaudit_domain.reporting.recipients import Address, Recipients

if TYPE_CHECKING:
    import httpx

AT_ONCE = 8
"""Notices that are sent at the same time; as many connections are kept."""
_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Sending:
    """Which addresses have accepted a notice, and the errors of the others."""

    accepted_by: frozenset[str]
    fault: str | None
    held_until: datetime | None = None
    """When the next of the addresses that collect theirs gets it; None where none does."""
    is_missed: bool = False
    """Whether nobody is configured to receive it."""


def fault_of(address: Address) -> str:
    """Why nothing can be sent to an address, as far as its text shows it; empty where something may be."""
    scheme = address.url.partition(":")[0]
    if scheme in ("http", "https"):
        return "" if urlsplit(address.url).hostname else f"the {scheme} address has no host"
    import apprise

    return "" if apprise.Apprise().add(address.url) else f"apprise knows no {excerpt(scheme, 40)}: URL like it"


class Notifier:
    """Sends to those whom the configuration names; with none, a notice is only in the log, and undelivered."""

    def __init__(self, recipients: Recipients) -> None:
        self.recipients = recipients

    def send(self, notice: Notice, written_at: datetime, accepted_by: Collection[str] = ()) -> Sending:
        """Send to every address that gets the notice at once and has not accepted it before.

        Where one of them fails, the addresses whose time is over get it too: they do not wait for the one that fails.
        """
        pending = [address for address in self.recipients.of(notice) if address.id not in accepted_by]
        collecting = {one: until for one in pending if (until := one.collects_until(notice, written_at))}
        faults = {one: send(one.url, notice) for one in pending if one not in collecting}
        if any(faults.values()):
            now = datetime.now(UTC)
            faults |= {one: send(one.url, notice) for one, until in collecting.items() if until <= now}
        accepted = frozenset({*accepted_by, *(one.id for one, fault in faults.items() if not fault)})
        held_until = min((until for one, until in collecting.items() if one not in faults), default=None)
        is_missed = not accepted and self.recipients.misses(notice)
        return Sending(accepted, "; ".join(filter(None, faults.values())) or None, held_until, is_missed)


def send(url: str, notice: Notice) -> str | None:
    """Send to one address; returns what went wrong, None where it was accepted."""
    if url.startswith(("http://", "https://")):
        return _post(url, notice)
    import apprise

    kind = "info" if notice.urgency == "info" else "failure"
    sender = apprise.Apprise()
    scheme = url.partition(":")[0]
    if not sender.add(url):
        return f"apprise knows no {scheme}: URL like the configured one"
    # As text: what a commit's author wrote is no markup of a mail.
    taken = sender.notify(notice.body, notice.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
    return None if taken else f"{scheme}: was not accepted"


def _post(url: str, notice: Notice) -> str | None:
    import httpx

    # A receiver that answered too late gets the notice again, and recognises it by the key.
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
    """One client for all: creating its TLS context takes longer than sending."""
    import httpx

    return httpx.Client(timeout=_SECONDS, limits=httpx.Limits(max_keepalive_connections=AT_ONCE))
