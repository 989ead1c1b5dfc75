"""What a site accepts of what commits hide or leave unread: decisions with a reason, an owner and a last day.

They are in the pipeline's configuration, beside the suppressions, so that no commit can make one. Deliberately absent:
reading the files (resources/configuration).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from infraaudit_domain.scans.hidings import Hiding

KEYS = ("framework", "skip-framework", "check", "skip-check", "skip-path")


@dataclass(frozen=True, slots=True)
class AcceptedHiding:
    """A commit's Checkov configuration may hide this."""

    key: str
    """Of the commit's file."""
    value: str
    """A framework or check that may be hidden (``*`` and ``?`` as in the shell), or a pattern of skip-path, letter by
    letter; ``*`` is anything."""
    reason: str
    owner: str
    expires: date
    """The last day on which it counts."""
    since: date | None = None

    def covers(self, hiding: Hiding, framework: str, check_id: str = "") -> bool:
        """Whether it is about this reason to hide something, today or not."""
        if hiding.key != self.key:
            return False
        hidden = {"framework": framework, "skip-framework": framework, "skip-path": hiding.value}
        text = hidden.get(self.key, check_id)
        return self.value in ("*", text) if self.key == "skip-path" else fnmatchcase(text, self.value)

    def counts_on(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and day <= self.expires

    @property
    def title(self) -> str:
        return f"acceptance of {self.key} {self.value}"


@dataclass(frozen=True, slots=True)
class AcceptedGap:
    """These files may stay unread."""

    path: str
    """``*`` and ``?`` stand for any text and any character, as in ``framework``."""
    reason: str
    owner: str
    expires: date
    framework: str = "*"
    since: date | None = None

    def covers(self, framework: str, path: str) -> bool:
        """Whether it is about this file, today or not."""
        return fnmatchcase(framework, self.framework) and fnmatchcase(path, self.path)

    def counts_on(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and day <= self.expires

    @property
    def title(self) -> str:
        return f"acceptance of {self.path} unread"


def accepting(gaps: Iterable[AcceptedGap], framework: str, path: str, day: date) -> AcceptedGap | None:
    """The first decision by which a framework may leave a file unread on a day; None where it may not."""
    return next((one for one in gaps if one.counts_on(day) and one.covers(framework, path)), None)
