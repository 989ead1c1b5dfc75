"""Lifecycles of findings along one line of commits: introduced, outstanding, moved, suppressed, fixed, reopened.

A life is a chain of spans; over a span a finding keeps its name and status. The function of the scans is pure, so
the order in which commits were scanned does not matter. A finding ends by evidence alone (infraaudit_domain/scans/evidence.py)
and begins where the last commit before is known to lack it; what lies between is a range, never a guess. A commit
without a scan (or whose scan failed) says nothing: what changed there shows at the next one that was scanned.
Deliberately absent: reading scans or Git, and a finding's line numbers, which are no part of its identity.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from infraaudit_domain.lifecycles.causes import CODE, Causes, causes
from infraaudit_domain.lifecycles.changes import cause_of_move, follow
from infraaudit_domain.lifecycles.readings import Reading, proves_lack
from infraaudit_domain.lifecycles.spans import BEFORE_THE_ROOT, COMING, FIXED, Past, Span, Step
from infraaudit_domain.lifecycles.successors import may_have_moved, successors
from infraaudit_domain.scans.findings import Finding


def advance(active: Mapping[str, Span], before: Reading | None, now: Reading, past: Past) -> Step:
    """The step from the spans that stand before a commit, by fingerprint, to those after it."""
    why = _causes(before, now, past)
    absent = {mark: span for mark, span in active.items() if mark not in now.findings}
    fresh = {mark: finding for mark, finding in now.findings.items() if mark not in active}
    followed = _followed(active, absent, fresh, now, past) if absent else {}
    closed, ended, started, resighted = {}, [], [], []
    for mark, span in active.items():
        finding, seen = followed.get(mark, now.findings.get(mark)), _last_seen(span, before)
        if finding is None and proves_lack(now, span.finding):
            closed[mark] = _end(span, now, seen, "fixed", why.of_absence(mark))
        elif finding is None and span.end_after is None:
            resighted.append(replace(span, end_after=seen))
        elif finding is not None and (mark in followed or finding.status != span.finding.status):
            moved = cause_of_move(span.finding, finding)
            cause = moved if mark in followed else why.of_presence(mark, finding.status)
            began_as, begun = _continued(span, finding, now, seen, cause)
            ended.append(_end(span, now, seen, began_as, cause))
            started.append(begun)
            fresh.pop(finding.fingerprint, None)
        elif finding is not None and span.end_after is not None:
            resighted.append(replace(span, end_after=None))
    if fresh:
        known, lacking = past.fixed(fresh.keys()), _last_lacking(fresh, before, now, past)
        started += (
            _begin(finding, known.get(mark), now, lacking[mark], why.of_presence(mark, finding.status))
            for mark, finding in fresh.items()
        )
    return _attributed(Step((*ended, *closed.values()), tuple(started), tuple(resighted)), now, past)


def _attributed(step: Step, now: Reading, past: Past) -> Step:
    """The step of a merge, each event with the commit of the merged branches whose doing it was, as far as is known."""
    if not (step.started or step.ended) or len(past.parents()) < 2:
        return step
    started = _doings([(s, s.started_as) for s in step.started if s.start_sha], past)
    went = _doings([(s, FIXED) for s in step.ended if s.end_sha and s.ended_as == FIXED], past)
    # What ends as moved or suppressed begins anew in the same step.
    went |= {life: sha for life, sha in started.items() if life not in went}
    return Step(
        tuple(replace(span, end_sha=went.get(span.life)) for span in step.ended),
        tuple(_by(span, started.get(span.life)) for span in step.started),
        step.resighted,
    )


def _doings(events: Sequence[tuple[Span, str]], past: Past) -> dict[str, str]:
    """The commits whose doing some events of a merge were, by lifecycle."""
    found: dict[str, str] = {}
    for word in sorted({"introduced" if event in COMING else event for _, event in events}):
        spans = [span for span, event in events if event == word or (word == "introduced" and event in COMING)]
        by_mark = past.brought({span.finding.fingerprint: span.finding for span in spans}, word)
        found |= {s.life: by_mark[s.finding.fingerprint] for s in spans if s.finding.fingerprint in by_mark}
    return found


def _by(span: Span, sha: str | None) -> Span:
    opened = sha if span.started_as in COMING else span.opened_sha
    introduced = sha if span.started_as == "introduced" else span.introduced_sha
    return replace(span, introduced_sha=introduced, opened_sha=opened, start_sha=sha)


def after(active: Mapping[str, Span], step: Step) -> dict[str, Span]:
    """The spans that stand after a step."""
    gone = {span.finding.fingerprint for span in step.ended}
    kept = {mark: span for mark, span in active.items() if mark not in gone}
    return kept | {span.finding.fingerprint: span for span in (*step.resighted, *step.started)}


def _followed(
    active: Mapping[str, Span],
    absent: Mapping[str, Span],
    fresh: Mapping[str, Finding],
    now: Reading,
    past: Past,
) -> dict[str, Finding]:
    """What became of findings that have another name now: their file was renamed, or their resource moved."""
    gone = [span.finding for span in absent.values()]
    is_possible = now.gaps or may_have_moved(gone, fresh.values()) or not all(proves_lack(now, f) for f in gone)
    if not is_possible:
        return {}
    paths = past.renames()
    found = successors({mark: span.finding for mark, span in active.items()}, now.findings, paths, past.moves)
    for mark, span in absent.items():
        carried = span.finding.after(paths)
        if mark in found or carried == span.finding:
            continue
        is_free = carried.fingerprint not in active and carried.fingerprint not in now.findings
        if is_free and not proves_lack(now, carried):
            # The renamed file was not read: the finding is carried along under its new name, neither closed nor lost.
            # Where an equal finding already has that name, this one keeps its old name for now.
            found[mark] = carried
    return found


def _last_seen(span: Span, before: Reading | None) -> int:
    if span.end_after is not None:
        return span.end_after
    return span.start if before is None else before.position


def _last_lacking(
    fresh: Mapping[str, Finding], before: Reading | None, now: Reading, past: Past
) -> dict[str, int | None]:
    """The last position that is known to lack each of the findings that are new; None where no commit is."""
    if now.position == 0 and not past.parents():
        return dict.fromkeys(fresh, BEFORE_THE_ROOT)
    parent = now.position - 1
    found: dict[str, int | None] = dict.fromkeys(fresh)
    unknown = set(fresh)
    if before is not None and not before.gaps:
        lacking = {mark for mark in unknown if proves_lack(before, fresh[mark])}
        found |= dict.fromkeys(lacking, before.position)
        unknown -= lacking
    for reading, old_paths in past.earlier() if unknown else ():
        lacking = {mark for mark in unknown if proves_lack(reading, follow(fresh[mark], old_paths))}
        found |= dict.fromkeys(lacking, reading.position)
        unknown -= lacking
        if not unknown:
            break
    if any(found[mark] != parent for mark in fresh):
        added = past.added_files()
        found |= {mark: parent for mark, finding in fresh.items() if finding.file_path in added}
    return found


def _continued(span: Span, finding: Finding, now: Reading, seen: int, cause: str) -> tuple[str, Span]:
    word, is_unread = "moved", finding.fingerprint not in now.findings
    if finding.status != span.finding.status:
        word = "unsuppressed" if finding.is_open else "suppressed"
    begun = replace(
        span,
        finding=finding,
        start=now.position,
        start_after=seen,
        start_sha=_doer(now, seen),
        started_as=word,
        start_cause=cause,
        end_after=seen if is_unread else None,
    )
    return word, begun


def _begin(finding: Finding, fixed: Span | None, now: Reading, lacking: int | None, cause: str) -> Span:
    """A finding that comes, or comes back, after the last position that is known to lack it."""
    if fixed is not None and fixed.end is not None:
        lacking, life = max(fixed.end, lacking or 0), fixed.life
        introduced = (fixed.introduced, fixed.introduced_after, fixed.introduced_sha)
        word = "reopened"
    else:
        life = hashlib.sha256(f"{finding.fingerprint} {now.sha}".encode()).hexdigest()[:32]
        introduced = (now.position, lacking, _doer(now, lacking))
        word = "found" if lacking is None else "introduced"
    here = (now.position, lacking, _doer(now, lacking))
    return Span(life, finding, *introduced, *here, *here, started_as=word, start_cause=cause)


def _end(span: Span, now: Reading, seen: int, word: str, cause: str) -> Span:
    return replace(span, end=now.position, end_after=seen, end_sha=_doer(now, seen), ended_as=word, end_cause=cause)


def _doer(now: Reading, after: int | None) -> str | None:
    return now.sha if after == now.position - 1 else None


def _causes(before: Reading | None, now: Reading, past: Past) -> Causes:
    other = CODE if before is None else now.circumstances.cause_against(before.circumstances)
    if other == CODE:
        return Causes(CODE)
    found = past.cross()
    return causes(other, found, past.renames() if found else {})
