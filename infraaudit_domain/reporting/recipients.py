"""Who is notified: the lists of the installation and of a project, and a project's routes by owner.

A commit's author and the CODEOWNERS file only choose among the routes of the pipeline's configuration: neither can name
an address. Deliberately absent: who owns a file (owners.py), and sending (resources/notifier.py).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from infraaudit_domain.reporting.notices import EVERY_PROJECT, URGENCIES, Notice


def _rank(urgency: str) -> int:
    return URGENCIES.index(urgency)


@dataclass(frozen=True, slots=True)
class Address:
    """Where notices are sent: a webhook or apprise URL, and the lowest urgency it accepts."""

    url: str
    urgency: str = "info"
    digest: timedelta | None = None
    """How long notices are collected for one message; None sends each at once."""
    at_once: str = "critical"
    """The lowest urgency that is sent at once although others are collected."""

    def wants(self, notice: Notice) -> bool:
        return _rank(notice.urgency) >= _rank(self.urgency)

    def collects_until(self, notice: Notice, written_at: datetime) -> datetime | None:
        """When a notice is sent with others, counted from midnight UTC; None where it is sent at once."""
        if self.digest is None or _rank(notice.urgency) >= _rank(self.at_once):
            return None
        midnight = written_at.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + ((written_at - midnight) // self.digest + 1) * self.digest

    @property
    def id(self) -> str:
        """Identifies the address where its URL, which may hold a password, must not appear."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Recipients:
    """Those who are notified of the events of one project."""

    lists: tuple[Address, ...] = ()
    routes: Mapping[str, tuple[Address, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By owner as a CODEOWNERS file or a commit's author names them."""

    def of(self, notice: Notice) -> tuple[Address, ...]:
        """The addresses that get a notice, each once: the routes of its owners, else the lists.

        What is critical goes to both: a forged author keeps it from nobody.
        """
        routes = {owner.casefold(): addresses for owner, addresses in self.routes.items()}
        routed = [one for owner in notice.owners for one in routes.get(owner.casefold(), ()) if one.wants(notice)]
        listed = [one for one in self.lists if one.wants(notice)]
        chosen = [*routed, *listed] if not routed or notice.urgency == URGENCIES[-1] else routed
        first: dict[str, Address] = {}
        for one in chosen:
            first.setdefault(one.id, one)
        return tuple(first.values())

    def misses(self, notice: Notice) -> bool:
        """Whether nobody gets a notice although no address declined it for being of little urgency."""
        declined = notice.urgency == URGENCIES[0] and bool(self.lists or self.routes)
        return not declined and not self.of(notice)

    @property
    def hear_failures(self) -> int:
        """How many addresses get the notice of a failing test whose owners have no route."""
        return len(self.of(Notice(key="", project="", title="", body="", urgency="failure")))


def recipients_of(project: str, everywhere: Sequence[Address], own: Mapping[str, Recipients]) -> Recipients:
    """Those of a project; one that is no longer configured has none of its own, and a notice of several goes to all."""
    if project == EVERY_PROJECT:
        return Recipients((*everywhere, *(one for some in own.values() for one in some.lists)))
    mine = own.get(project, Recipients())
    return Recipients((*everywhere, *mine.lists), mine.routes)


def routed(owners: Iterable[str], routes: Mapping[str, object]) -> tuple[str, ...]:
    """Those of many owners that have a route, each once."""
    known = {owner.casefold() for owner in routes}
    return tuple(dict.fromkeys(folded for owner in owners if (folded := owner.casefold()) in known))


def unheard(project: str) -> str:
    """What is said where a project's failures reach nobody, and what to do."""
    return (
        f"nobody would be notified of a failing test of {project}: give an address in INFRAAUDIT_NOTIFY, "
        "or in notify: of the project in the projects file"
    )
