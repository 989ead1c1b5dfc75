"""Which repository a push is of, by the addresses in its payload: a hook of a whole forge reports those of all.

Certain is only what differs on one host: a mirror, or an internal name of the forge, has other addresses. Deliberately
absent: which branches moved (../forge/payloads.py).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

_SCP = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/@:]+):(?!//)(?P<path>[^:]+)")
_NAMES = ("clone_url", "ssh_url", "git_url", "html_url", "git_http_url", "git_ssh_url", "http_url", "web_url", "homepage",
          "url", "remoteUrl", "sshUrl")  # fmt: skip
_LINKS = ("html", "clone", "self")
_MOST = 40


def other_repository(payload: Any, url: str) -> str:
    """The address of the repository that a push is of, where that is certainly not the one at ``url``; else empty."""
    own = place_of(url)
    if own is None or not isinstance(payload, Mapping):
        return ""
    given = [(address, place) for address in list(_addresses(payload))[:_MOST] if (place := place_of(address))]
    here = [(address, place) for address, place in given if place[0] == own[0]]
    if not here or any(place == own for _, place in here):
        return ""
    return here[0][0]


def _addresses(payload: Mapping[str, Any]) -> Iterator[str]:
    resource = payload.get("resource")
    holders = (payload.get("repository"), payload.get("project"),
               resource.get("repository") if isinstance(resource, Mapping) else None)  # fmt: skip
    for holder in holders:
        if isinstance(holder, Mapping):
            links = holder.get("links")
            linked = (links.get(name) for name in _LINKS) if isinstance(links, Mapping) else ()
            yield from _texts([*(holder.get(name) for name in _NAMES), *_hrefs(linked)])


def _hrefs(linked: Iterable[Any]) -> Iterator[Any]:
    for one in linked:
        for link in one if isinstance(one, list) else [one]:
            if isinstance(link, Mapping):
                yield link.get("href")


def _texts(values: Iterable[Any]) -> Iterator[str]:
    yield from (value for value in values if isinstance(value, str) and len(value) <= 1000)


def place_of(address: str) -> tuple[str, str] | None:
    """Host and path, however they are written; None where there is no host."""
    if match := _SCP.fullmatch(address):
        host, path = match["host"], match["path"]
    else:
        try:
            parts = urlsplit(address)
            host, path = parts.hostname or "", parts.path
        except ValueError:
            return None
    path = path.strip("/").removesuffix(".git").casefold()
    # Bitbucket Data Center has its repositories below scm/ over HTTP, and without it over SSH.
    return (host.casefold(), path.removeprefix("scm/")) if host and path else None
