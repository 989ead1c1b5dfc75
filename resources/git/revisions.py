"""What a name that somebody gives means as a commit: a branch, a full SHA, a tag, or the beginning of a SHA, in that order.

Git itself takes a tag before a branch, and says nothing; here a name that means two commits is an error. ``~2`` and ``^2``
may follow. Deliberately absent: reflogs, dates, searches, paths and ranges.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from infraaudit_domain.errors import UnknownRevisionError, excerpt
from resources.git.program import run_git

_SECONDS = 60.0
_LONGEST = 1000
_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BEGINNING = re.compile(r"[0-9a-f]{7,63}")
# Without what no branch or tag may have in its name (git check-ref-format), and what is no text for a program.
_NAME = re.compile(r"(?!-)(?!.*(?:\.\.|@\{))[^\x00-\x20\x7f~^:?*\[\\\ud800-\udc7f\udd00-\udfff]+")
_STEPS = re.compile(r"(?:[~^][0-9]{0,6})*")


def resolve_in(mirror: Path, shown: str, revision: str) -> str:
    """The full SHA that a name means in a mirror. ``shown`` is what the repository is called in messages.

    Raises UnknownRevisionError where it means no commit, and where it means two.
    """
    name = re.split(r"[~^]", revision, maxsplit=1)[0]
    steps = revision[len(name) :]
    is_name = len(revision) <= _LONGEST and _NAME.fullmatch(name) and _STEPS.fullmatch(steps)
    meanings = _meanings(mirror, name) if is_name else {}
    if len(set(meanings.values())) > 1:
        both = " and ".join(f"{what} ({sha[:12]})" for what, sha in meanings.items())
        raise UnknownRevisionError(
            f"{excerpt(name, 100)!r} means two commits in {shown}: {excerpt(both, 600)}. "
            "Write refs/heads/… for a branch, refs/tags/… for a tag, or more or fewer digits of a SHA."
        )
    sha = next(iter(meanings.values()), None)
    found = commit_at(mirror, f"{sha}{steps}") if sha and steps else sha
    if found is None:
        raise UnknownRevisionError(
            f"{shown} has no commit {excerpt(revision, 100)!r}. "
            "Give a branch, a tag or a SHA (7 digits at least) that was pushed."
        )
    return found


def commit_at(mirror: Path, expression: str) -> str | None:
    """The commit at a SHA, with or without steps; no branch or tag of such a name is ever taken for it."""
    return _commits(mirror, [expression])[0]


def _meanings(mirror: Path, name: str) -> Mapping[str, str]:
    """The commits that a name may mean, each by what it is then; what goes before the others comes first."""
    digits = name.lower()
    asked = {
        f"the branch {name}": f"refs/heads/{name}",
        "the full SHA": digits if _FULL.fullmatch(digits) else "",
        f"the tag {name}": f"refs/tags/{name}",
        "its full name": name if name.startswith(("refs/heads/", "refs/tags/")) else "",
    }
    asked = {what: expression for what, expression in asked.items() if expression}
    found = zip(asked, _commits(mirror, list(asked.values())), strict=True)
    meanings = {what: sha for what, sha in found if sha}
    if _BEGINNING.fullmatch(digits) and not _FULL.fullmatch(digits):
        meanings |= {f"the commit {sha}": sha for sha in _beginning_with(mirror, digits)}
    if name == "HEAD" and not meanings and (head := commit_at(mirror, "HEAD")):
        return {"the default branch": head}
    return meanings


def _beginning_with(mirror: Path, digits: str) -> list[str]:
    words = ("rev-parse", f"--disambiguate={digits}")
    objects = run_git(*words, timeout=_SECONDS, folder=mirror, check=False).text.split()
    return [sha for sha in _commits(mirror, objects) if sha in objects]


def _commits(mirror: Path, expressions: Sequence[str]) -> list[str | None]:
    """The commit that each expression leads to, if any. Forty digits are an object to Git before they are a branch."""
    words = ("cat-file", "--batch-check=%(objectname) %(objecttype)")
    lines = "".join(f"{expression}^{{commit}}\n" for expression in expressions).encode("utf-8", "surrogateescape")
    answers = run_git(*words, timeout=_SECONDS, folder=mirror, stdin=lines, check=False).stdout.split(b"\n")
    answers += [b""] * (len(expressions) - len(answers))
    found = (answer.decode("utf-8", "replace").partition(" ") for answer in answers[: len(expressions)])
    return [sha if kind == "commit" and _FULL.fullmatch(sha) else None for sha, _, kind in found]
