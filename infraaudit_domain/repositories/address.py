"""The address that somebody adds a repository by: what is refused, the name that follows from it, and when two are one.

Stricter than an entry of the projects file, which may hold what an installation has had for years.
"""

import re
from urllib.parse import urlsplit

from infraaudit_domain.repositories.urls import place_of

_TRANSPORTS = ("https", "http", "ssh", "git")
_LONGEST_USER = 30
_LONGEST_NAME = 40
_TOKEN = re.compile(r"(?:gh[opusr]|glpat|github_pat)[_-]|x-token-auth|oauth2", re.IGNORECASE)


def fault_of(url: str) -> str:
    """Why a repository is not added by this address; empty where it may be."""
    if not url.strip() or not url.isprintable() or url.startswith("-") or "::" in url:
        return "it must be a local path, or an https, ssh or git URL"
    if "://" not in url:
        is_host = is_local(url) and ":" in url.partition("/")[0]
        return "write git@host:path for a host, and ./ before a path with a colon" if is_host else ""
    try:
        parts = urlsplit(url)
        user, password, host = parts.username or "", parts.password, parts.hostname
    except ValueError:
        return "it is no URL"
    if parts.scheme == "file":
        return "name the path itself, without file://"
    if parts.scheme not in _TRANSPORTS or not host:
        return f"it must be a local path, or a URL with a host that begins with {', '.join(_TRANSPORTS)}"
    is_secret = password is not None or (
        parts.scheme != "ssh" and (len(user) > _LONGEST_USER or _TOKEN.match(user) is not None)
    )
    if is_secret:
        return (
            "it holds a password or token, which the projects file would show to everybody: leave that out, and give it "
            "to git by a credential helper (git help credentials)"
        )
    if parts.query or parts.fragment:
        return "it holds a query or a fragment, which no repository has"
    return ""


def is_local(url: str) -> bool:
    """Whether an entry of the projects file takes the address for a path."""
    return "://" not in url and not re.match(r"[^/]+@[^/]+:", url)


def name_of(url: str) -> str:
    """The name of a project by its repository's address; empty where that has none."""
    last = re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git").lower()
    return re.sub(r"[^a-z0-9]+", lambda odd: odd[0] if odd[0] in "-_" else "-", last)[:_LONGEST_NAME].strip("-_")


def same_repository(one: str, other: str) -> bool:
    """Whether two addresses certainly lead to one repository."""
    place = place_of(one)
    return place == place_of(other) if place else one.rstrip("/") == other.rstrip("/")
