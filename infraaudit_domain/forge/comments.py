"""The one comment of a request: what was found of its head, in Markdown that every forge shows alike.

Whoever may read the repository reads it. What comes from the commit stands in code, where no forge reads markup, HTML,
mentions or commands; nothing that a tool printed is in it. Deliberately absent: sending it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from infraaudit_domain.errors import excerpt
from infraaudit_domain.forge.request_verdicts import RequestResult, RequestVerdict
from infraaudit_domain.scans.findings import Finding, Severity

MOST_NEW, MOST_FIXED = 20, 10
_LONGEST = 120
"""Of a name. With the numbers above a comment stays below 32,768 characters, the least that a forge takes."""
_LINK = re.compile(r"https://[A-Za-z0-9.-]{1,100}(?:/[A-Za-z0-9._~/%#?=&+-]{0,200})?")
_ORDER = list(Severity)
_SAID = {
    RequestResult.PASSES: "**Would be let in.**",
    RequestResult.FAILS: "**Would be stopped.**",
    RequestResult.UNKNOWN: "**Not known whether it would be let in.**",
}


def comment_of(
    project: str, sha: str, found: RequestVerdict, new: Iterable[Finding] = (), fixed: Iterable[Finding] = ()
) -> str:
    """The text of a request's comment; ``new`` and ``fixed`` are what changed since the commit compared with."""
    return "\n".join(_lines(project, sha, found, _worst_first(new), _worst_first(fixed)))


def marked(text: str, mark: str) -> str:
    """A comment with our mark, which no forge shows: a link's definition, since not all of them hide HTML comments."""
    return f"{text}\n\n{mark_line(mark)}"


def mark_line(mark: str) -> str:
    return f"[//]: # (infraaudit {mark})"


def digest_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def in_code(text: str, limit: int = _LONGEST) -> str:
    """Outside text as code: one line without backticks, so that nothing ends it; a mention in it names nobody."""
    line = " ".join(excerpt(text, 20 * limit).split()).replace("`", "'").replace("@", "@\u200b")
    return f"`{line if len(line) <= limit else f'{line[: limit - 1]}…'}`" if line else "`?`"


def _lines(
    project: str, sha: str, found: RequestVerdict, new: Sequence[Finding], fixed: Sequence[Finding]
) -> Iterator[str]:
    yield f"### InfraAudit: {in_code(project)}"
    yield ""
    # What follows a colon may be what a scanner or a test printed.
    reason = found.reason.partition(": ")[0]
    yield f"{_SAID[found.verdict]} {in_code(sha[:12])}" + (f": {in_code(reason, 300)}" if reason else "")
    counts = [(found.new, "new"), (found.fixed, "fixed"), (found.not_live, "would go live")]
    numbers = ", ".join(f"{number} {what}" for number, what in counts if number is not None)
    yield from (["", f"Open findings: {numbers}."] if numbers else [])
    yield from _listed("New", [_with_remedy(one) for one in new[:MOST_NEW]], len(new))
    yield from _listed("Fixed", [_named(one) for one in fixed[:MOST_FIXED]], len(fixed))
    yield from _commands(project, sha, found, new)


def _listed(title: str, shown: Sequence[str], total: int) -> Iterator[str]:
    if not shown:
        return
    yield from ("", f"**{title}**", "")
    yield from (f"- {one}" for one in shown)
    if total > len(shown):
        yield f"- and {total - len(shown)} more"


def _named(finding: Finding) -> str:
    where = f"{finding.file_path}:{finding.line_start}"
    what = f"{finding.severity.value}: {in_code(finding.check_id)} {in_code(finding.check_name)}"
    return f"{what} in {in_code(where)}, {in_code(finding.resource)}"


def _with_remedy(finding: Finding) -> str:
    # From the scanner, and shown as a link: nothing but an address may be in it.
    link = f" ([how to fix it]({finding.guideline}))" if _LINK.fullmatch(finding.guideline) else ""
    return _named(finding) + link


def _commands(project: str, sha: str, found: RequestVerdict, new: Sequence[Finding]) -> Iterator[str]:
    given = [f"infraaudit requests --project {project}"]
    if found.base:
        given.append(f"infraaudit findings --project {project} --commit {sha[:12]} --new-since {found.base[:12]}")
    if new:
        given.append(f"infraaudit explain {new[0].fingerprint[:12]} --project {project}")
    yield from ("", "More:", "")
    yield from (f"    {one}" for one in given)


def _worst_first(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(
        findings, key=lambda one: (_ORDER.index(one.severity), one.file_path, one.line_start, one.fingerprint)
    )
