"""Lifecycles of findings along one line of commits: introduced, outstanding, moved, suppressed, fixed, reopened.

A life is a chain of spans; over a span a finding keeps its name and status. The function of the scans is pure, so
the order in which commits were scanned does not matter. A commit without a scan (or whose scan failed) changes
nothing: what changed in it appears at the next scanned commit. Only a complete scan closes anything. Deliberately
absent: reading scans or Git, and a finding's line numbers, which are no part of its identity.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from infraaudit_domain.causes import CODE, Causes, Circumstances, causes
from infraaudit_domain.findings import Finding


@dataclass(frozen=True, slots=True)
class Reading:
    """What lifecycles need of one commit's scan."""

    sha: str
    findings: Mapping[str, Finding]
    """By fingerprint, open and suppressed."""
    complete: bool
    circumstances: Circumstances


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of commits over which a finding stood; positions count along the line of commits from 0."""

    life: str
    """The same for every span of one finding, through renames and reopenings."""
    finding: Finding
    introduced: int
    opened: int
    """Where it was introduced or last reopened."""
    start: int
    started_as: str
    """introduced, reopened, moved, suppressed or unsuppressed."""
    start_cause: str
    """code, config or scanner."""
    end: int | None = None
    """The first commit without it (in this form); None is still there."""
    ended_as: str | None = None
    """fixed, moved, suppressed or unsuppressed."""
    end_cause: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one commit did: spans that ended with it, and spans that began."""

    ended: tuple[Span, ...]
    started: tuple[Span, ...]


Renames = Callable[[], Mapping[str, str]]
Cross = Callable[[], Mapping[str, Finding] | None]
Fixed = Callable[[Collection[str]], Mapping[str, Span]]


def advance(
    active: Mapping[str, Span],
    before: Reading | None,
    now: Reading,
    position: int,
    renames: Renames,
    fixed: Fixed,
    cross: Cross = lambda: None,
) -> Step:
    """The step from the spans that stand before a commit to those after it.

    ``active`` is by fingerprint. ``renames`` (new path by old, since ``before``) is asked for only where it can
    matter; ``fixed`` gives the newest fixed span of each of some fingerprints. ``cross`` gives the findings of
    ``before``'s files under the circumstances of ``now``, where that was scanned; asked for only where those differ.
    """
    why = _causes(before, now, cross, renames)
    absent = {mark: span for mark, span in active.items() if mark not in now.findings}
    fresh = {mark: finding for mark, finding in now.findings.items() if mark not in active}
    moves = dict(_moves(active, absent, fresh, now.complete, renames)) if absent else {}
    ended, started = [], []
    for mark, span in absent.items():
        if mark in moves:
            ended_as, successor = _continued(span, moves[mark], position, CODE, "moved")
            ended.append(_end(span, position, ended_as, CODE))
            started.append(successor)
            fresh.pop(moves[mark].fingerprint, None)
        elif now.complete:
            ended.append(_end(span, position, "fixed", why.of_absence(mark)))
    for mark, span in active.items():
        finding = now.findings.get(mark)
        if finding is not None and finding.status != span.finding.status:
            cause = why.of_presence(mark, finding.status)
            ended_as, successor = _continued(span, finding, position, cause, "")
            ended.append(_end(span, position, ended_as, cause))
            started.append(successor)
    known = fixed(fresh.keys()) if fresh else {}
    started += (
        _begin(finding, known.get(mark), now.sha, position, why.of_presence(mark, finding.status))
        for mark, finding in fresh.items()
    )
    return Step(tuple(ended), tuple(started))


def after(active: Mapping[str, Span], step: Step) -> dict[str, Span]:
    """The spans that stand after a step."""
    gone = {span.finding.fingerprint for span in step.ended}
    kept = {mark: span for mark, span in active.items() if mark not in gone}
    return kept | {span.finding.fingerprint: span for span in step.started}


def _moves(
    active: Mapping[str, Span],
    absent: Mapping[str, Span],
    fresh: Mapping[str, Finding],
    complete: bool,
    renames: Renames,
) -> Iterator[tuple[str, Finding]]:
    candidates = {_without_path(finding) for finding in fresh.values()}
    if complete and not any(_without_path(span.finding) in candidates for span in absent.values()):
        return
    paths = renames()
    for mark, span in absent.items():
        if span.finding.file_path not in paths:
            continue
        followed = replace(span.finding, file_path=paths[span.finding.file_path])
        found = fresh.get(followed.fingerprint)
        if found is not None:
            yield mark, found
        elif not complete and followed.fingerprint not in active:
            # The renamed file was not read: the finding is carried along under its new name, neither closed nor lost.
            # Where an equal finding already has that name, this one keeps its old name for now.
            yield mark, followed


def _continued(span: Span, finding: Finding, position: int, cause: str, word: str) -> tuple[str, Span]:
    if finding.status != span.finding.status:
        word = "unsuppressed" if finding.is_open else "suppressed"
    return word, Span(span.life, finding, span.introduced, span.opened, position, word, cause)


def _begin(finding: Finding, fixed: Span | None, sha: str, position: int, cause: str) -> Span:
    if fixed is not None:
        return Span(fixed.life, finding, fixed.introduced, position, position, "reopened", cause)
    life = hashlib.sha256(f"{finding.fingerprint} {sha}".encode()).hexdigest()[:32]
    return Span(life, finding, position, position, position, "introduced", cause)


def _end(span: Span, position: int, word: str, cause: str) -> Span:
    return replace(span, end=position, ended_as=word, end_cause=cause)


def _without_path(finding: Finding) -> tuple[str, str, str, int]:
    return finding.framework, finding.check_id, finding.resource, finding.ordinal


def _causes(before: Reading | None, now: Reading, cross: Cross, renames: Renames) -> Causes:
    other = CODE if before is None else now.circumstances.cause_against(before.circumstances)
    if other == CODE:
        return Causes(CODE)
    found = cross()
    return causes(other, found, renames() if found else {})
