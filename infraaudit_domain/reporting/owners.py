"""The owners of a file, by the rules of a CODEOWNERS file: the last rule that matches a path names them.

Patterns are matched segment by segment in bounded time, because a commit's author writes them (a regular expression
made of one may run for hours), and so many files are looked up as a notice can name. Deliberately absent: sections and approvals of GitLab, and finding the file.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate

OWNER_FILES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where forges look for the file, in this order."""
_RULES = 2000
_SEGMENTS = 40
_LONGEST = 300
_STARS = 4
_STEPS = 60_000_000
"""Segments of all rules times the length of the paths that are held against them; a second or two."""


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: str
    owners: tuple[str, ...]


def parse_owners(text: str) -> tuple[Rule, ...]:
    """The rules of a CODEOWNERS file; invalid lines are skipped, as forges do."""
    lines = (line.split("#", 1)[0].split() for line in text.splitlines()[:_RULES])
    rules = (Rule(words[0], tuple(words[1:])) for words in lines if words and not words[0].startswith(("[", "^[")))
    return tuple(rule for rule in rules if _is_tame(rule.pattern))


def owners_of(rules: Sequence[Rule], paths: Iterable[str]) -> tuple[str, ...]:
    """The owners of some files, each once, in the order in which the files name them; of so many files as fit the
    bound."""
    newest_first = [(_Pattern.of(rule.pattern), rule.owners) for rule in reversed(rules)]
    segments = sum(len(pattern.segments) for pattern, _ in newest_first)
    found: dict[str, None] = {}
    left = _STEPS
    for path in paths:
        left -= segments * (len(path) + 20 * path.count("/"))
        if left < 0:
            break
        found |= dict.fromkeys(next((owners for pattern, owners in newest_first if pattern.matches(path)), ()))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pattern with the expression of each of its segments; None is ``**``."""

    segments: tuple[re.Pattern[str] | None, ...]
    is_folder: bool
    is_of_one_folder: bool
    """Whether it ends in ``*``: it owns the files of a folder, and not those of the folders in it."""

    @classmethod
    def of(cls, pattern: str) -> "_Pattern":
        parts = pattern.strip("/").split("/")
        last = parts[-1]
        if "/" not in pattern.rstrip("/"):
            parts = ["**", *parts]
        compiled = tuple(None if part == "**" else re.compile(translate(part)) for part in parts)
        return cls(compiled, pattern.endswith("/"), last == "*")

    def matches(self, path: str) -> bool:
        names = path.split("/")
        if len(self.segments) > _SEGMENTS or len(names) > _SEGMENTS:
            return False
        # reached: how many segments of the path the parts so far may have taken.
        reached = {0}
        for part in self.segments:
            if not reached:
                return False
            if part is None:
                reached = set(range(min(reached), len(names) + 1))
            else:
                reached = {n + 1 for n in reached if n < len(names) and part.match(names[n])}
        if self.is_folder:
            return any(n < len(names) for n in reached)
        return len(names) in reached or (not self.is_of_one_folder and bool(reached))


def _is_tame(pattern: str) -> bool:
    return len(pattern) <= _LONGEST and all(segment.count("*") <= _STARS for segment in pattern.split("/"))
