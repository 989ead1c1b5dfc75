"""Send notices: to webhook URLs as JSON, to everything else by apprise. Retries are the outbox's."""

from collections.abc import Sequence
from dataclasses import asdict

from infraaudit_assets.domain.errors import excerpt
from infraaudit_assets.domain.notices import Notice


class Notifier:
    """Sends to a fixed list of URLs; with none, a notice is only in the log."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = tuple(urls)

    def send(self, notice: Notice) -> str | None:
        """Send to every URL. Returns what went wrong, or None."""
        faults = [fault for url in self.urls if (fault := _send(url, notice))]
        return "; ".join(faults) or None


def _send(url: str, notice: Notice) -> str | None:
    if url.startswith(("http://", "https://")):
        return _post(url, notice)
    import apprise

    kind = {"info": "info", "failure": "failure", "critical": "failure"}[notice.urgency]
    sender = apprise.Apprise()
    scheme = url.partition(":")[0]
    if not sender.add(url):
        return f"apprise knows no {scheme}: URL like the configured one"
    return None if sender.notify(notice.body, notice.title, notify_type=kind) else f"{scheme}: was not accepted"


def _post(url: str, notice: Notice) -> str | None:
    import httpx

    try:
        httpx.post(url, json=asdict(notice), timeout=10).raise_for_status()
    except httpx.HTTPStatusError as error:
        return f"the webhook answered {error.response.status_code}"
    except httpx.HTTPError as error:
        return f"the webhook does not answer: {excerpt(str(error), 200)}"
    return None
