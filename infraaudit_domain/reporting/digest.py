"""A digest: one notice that lists several, the most urgent first. Deliberately absent: when it is sent, and to whom."""

import hashlib
from collections.abc import Sequence

from infraaudit_domain.reporting.notices import EVERY_PROJECT, URGENCIES, Notice

_LISTED = 50


def digest_of(address: str, notices: Sequence[Notice]) -> Notice:
    """What an address, named by its id, is sent; the same notices make the same key."""
    keys = " ".join([address, *sorted(notice.key for notice in notices)])
    projects = sorted({notice.project for notice in notices})
    ordered = sorted(notices, key=lambda notice: -URGENCIES.index(notice.urgency))
    more = f"and {len(notices) - _LISTED} more" if len(notices) > _LISTED else ""
    lines = [line for notice in ordered[:_LISTED] for line in _lines(notice)]
    return Notice(
        key=f"digest:{hashlib.sha256(keys.encode()).hexdigest()[:32]}",
        project=projects[0] if len(projects) == 1 else EVERY_PROJECT,
        title=f"{len(notices)} {'notice' if len(notices) == 1 else 'notices'} of {', '.join(filter(None, projects))[:200]}",
        body="\n".join([*lines, *([more] if more else [])]),
        urgency=ordered[0].urgency,
    )


def _lines(notice: Notice) -> tuple[str, ...]:
    """The title, and where to read on, which is a notice's last line."""
    link = notice.body.rpartition("\n")[2]
    return (notice.title, f"  {link}") if link else (notice.title,)
