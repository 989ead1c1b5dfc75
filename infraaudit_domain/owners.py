"""The owners of a file, by the rules of a CODEOWNERS file: the last rule that matches a path names them.

Patterns are matched segment by segment in bounded time, because a commit's author writes them (a regular expression
made of one may run for hours). Deliberately absent: sections and approvals of GitLab, and finding the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

OWNER_FILES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
"""Where forges look for the file, in this order."""
_RULES = 2000
_SEGMENTS = 40


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: str
    owners: tuple[str, ...]


def parse_owners(text: str) -> tuple[Rule, ...]:
    """The rules of a CODEOWNERS file; invalid lines are skipped, as forges do."""
    lines = (line.split("#", 1)[0].split() for line in text.splitlines()[:_RULES])
    return tuple(Rule(words[0], tuple(words[1:])) for words in lines if words and not words[0].startswith(("[", "^[")))


def owners_of(rules: Sequence[Rule], paths: Iterable[str]) -> tuple[str, ...]:
    """The owners of some files, each once, in the order in which the files name them."""
    found = (next((rule.owners for rule in reversed(rules) if _matches(rule.pattern, path)), ()) for path in paths)
    return tuple(dict.fromkeys(owner for owners in found for owner in owners))


def _matches(pattern: str, path: str) -> bool:
    parts, segments = pattern.strip("/").split("/"), path.split("/")
    if len(parts) > _SEGMENTS or len(segments) > _SEGMENTS:
        return False
    if "/" not in pattern.rstrip("/"):
        parts = ["**", *parts]
    # reached: how many segments of the path the parts so far may have taken.
    reached = {0}
    for part in parts:
        if part == "**":
            reached = set(range(min(reached, default=len(segments) + 1), len(segments) + 1))
        else:
            reached = {n + 1 for n in reached if n < len(segments) and fnmatchcase(segments[n], part)}
    if pattern.endswith("/"):
        return any(n < len(segments) for n in reached)
    # A pattern that names a folder owns what is in it; one that ends in * owns the files of one folder only.
    return len(segments) in reached or (parts[-1] != "*" and bool(reached))
