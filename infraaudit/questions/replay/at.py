"""The answers to "at": what was live at a moment, with which findings, suppressions, gaps, and the gate's verdict.

What is known today of the commit of then is what counts: a scan that was made later is named with its time.
Suppressions of the project's file, accepted gaps and the gate are those of the configuration of now, as they count on the
day of then; triage is what was decided until then.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from infraaudit.questions.asked import EVERY_ROW, Asked, Page, Row
from infraaudit.questions.replay.live_then import LiveThen, brought_with, how_it_came, live_then
from infraaudit.questions.replay.moments import asked_moment
from infraaudit.questions.replay.past_judge import PastJudge
from infraaudit_domain.judging.acceptances import accepting
from infraaudit_domain.judging.suppressions import suppressed_at
from infraaudit_domain.scans.findings import Finding, FindingStatus, ScanStatus, Severity
from resources.history import schema
from resources.history.queries.coverage import count_of, scanned_parts, unread_count
from resources.history.queries.finding_pages import FindingFilter, finding_page
from resources.history.queries.frames import commits_named

_NAMES = [each.name for each in fields(Finding) if each.name not in ("status", "severity", "suppressed_by")]


def at(asked: Asked) -> Page:
    """One row for each environment."""
    return asked.cut([_summary(asked, then) for then in _then(asked)])


def at_findings(asked: Asked) -> Page:
    """The findings of what was live, as they counted on that day."""
    return asked.cut([_of(then, row) for then in _then(asked) for row in _found(asked, then)])


def at_suppressions(asked: Asked) -> Page:
    """What hid findings then: comments in the code that was live, the entries of the project's file, and triage."""
    return asked.cut([row for then in _then(asked) for row in _hiding(asked, then)])


def at_gaps(asked: Asked) -> Page:
    """What the scan of what was live did not read."""
    return asked.cut([_of(then, row) for then in _then(asked) if then.period for row in _gaps(asked, then)])


def _then(asked: Asked) -> list[LiveThen]:
    moment = asked_moment(asked)
    return [live_then(asked.line, name, moment) for name in asked.environments()]


def _of(then: LiveThen, row: Row) -> Row:
    return {"environment": then.environment, "commit": then.period.sha if then.period else None} | row


def _summary(asked: Asked, then: LiveThen) -> Row:
    row: Row = {
        "environment": then.environment,
        "at": then.at.isoformat(),
        "state": _state(then),
        "under_way": then.under_way or None,
    }
    if then.period is None:
        return row
    sha, period = then.period.sha, then.period
    named = commits_named(asked.history, asked.project, [sha]).get(sha)
    row |= {
        "sha": sha,
        "subject": named["subject"] if named else None,
        "author": named["author_name"] if named else None,
        "live_from": period.start.isoformat(),
        "live_to": period.end.isoformat() if period.end else None,
        "hours_live": round((then.at - period.start).total_seconds() / 3600, 2),
        "doubt": then.doubt or None,
    }
    return row | _deployed(asked, then) | _counted(asked, then) | _covered(asked, then) | _judged(asked, then)


def _state(then: LiveThen) -> str:
    if then.period is not None:
        return "live"
    if then.first is None:
        return "nothing has ever become healthy here"
    return f"before the first deployment, which was healthy on {then.first:%Y-%m-%d %H:%M} UTC"


def _deployed(asked: Asked, then: LiveThen) -> Row:
    if then.brought is None:
        return {}
    by, run = how_it_came(asked.line, then.brought)
    brought = commits_named(asked.history, asked.project, brought_with(asked.line, then.brought))
    authors = sorted({row["author_name"] for row in brought.values()})
    return {
        "deployed_by": by,
        "run_id": run or None,
        "replaced": then.brought.replaced_sha,
        "brought": len(brought),
        "authors": ", ".join(authors) or None,
    }


def _counted(asked: Asked, then: LiveThen) -> Row:
    """Open findings by severity, and what hid others; nothing where the commit has no usable scan."""
    scan = _scan_of(asked, then)
    valid = [one for one in asked.rules.suppressions if one.counts_at(then.at)]
    row: Row = {
        "scan": scan["status"] if scan else "none",
        "scanned_at": scan["started_at"].isoformat() if scan else None,
        "suppressions": len(valid),
    }
    if scan is None or scan["status"] == ScanStatus.FAILED:
        return row
    found = _found(asked, then)
    counts = Counter(one["severity"] for one in found if one["status"] == FindingStatus.OPEN)
    hidden = Counter(one["hidden_by"] for one in found if one["status"] == FindingStatus.SUPPRESSED)
    return row | {
        "open": counts.total(),
        "not_read": sum(one["last_read"] is not None for one in found),
        "hidden_in_code": hidden["code"],
        "accepted": hidden.total() - hidden["code"],
    } | {severity.value: counts[severity.value] for severity in Severity}  # fmt: skip


def _covered(asked: Asked, then: LiveThen) -> Row:
    """The files that were not read; nothing where the commit has no scan, or one that counted no files."""
    gaps = list(_gaps(asked, then))
    if _scan_of(asked, then) is None or any(gap["files"] is None for gap in gaps):
        return {}
    return {
        "gaps": sum(gap["files"] for gap in gaps if not gap["accepted"]),
        "accepted_gaps": sum(gap["files"] for gap in gaps if gap["accepted"]),
    }


def _judged(asked: Asked, then: LiveThen) -> Row:
    """What the gate of now says of its being live then, beside what it replaced."""
    assert then.period is not None
    replaced = then.brought.replaced_sha if then.brought else None
    shas = [sha for sha in (then.period.sha, replaced) if sha]
    judge = PastJudge(asked.line, asked.rules.gate, asked.rules, shas, then.at.date())
    verdict = judge.verdict(then.period.sha, replaced, then.at)
    if verdict is None:
        return {"gate": "not known", "gate_reason": f"the commit is not on {asked.line.branch}"}
    return {"gate": "passed" if verdict.passed else "stopped", "gate_reason": "; ".join(verdict.reasons) or None}


def _scan_of(asked: Asked, then: LiveThen) -> sa.RowMapping | None:
    table = schema.scans
    assert then.period is not None
    of_commit = (table.c.project == asked.project) & (table.c.sha == then.period.sha)
    return asked.history.row(sa.select(table.c.status, table.c.started_at).where(of_commit))


def _found(asked: Asked, then: LiveThen) -> list[Row]:
    """Every finding of what was live, open or not, as it counted on that day; ages are of that moment."""
    if then.period is None:
        return []
    _, rows = finding_page(asked.line, then.period.sha, FindingFilter(status=""), then.at, EVERY_ROW, 0)
    return [_as_counted(asked, then, row) for row in rows]


def _as_counted(asked: Asked, then: LiveThen, row: dict[str, Any]) -> Row:
    stored = Finding(
        **{name: row[name] for name in _NAMES},
        status=FindingStatus(row["status"]),
        severity=Severity(row["severity"]),
    )
    by = suppressed_at(stored, asked.rules.suppressions, then.at)
    if by is None:
        return row | {"hidden_by": None if stored.is_open else "code", "accepted_by": None}
    hidden = {"status": FindingStatus.SUPPRESSED.value, "suppression_reason": by.reason}
    return row | hidden | {"hidden_by": by.source.value, "accepted_by": by}


def _hiding(asked: Asked, then: LiveThen) -> Iterator[Row]:
    found = _found(asked, then)
    names = ("severity", "check_id", "file_path", "resource", "id")
    for row in found:
        if row["hidden_by"] == "code":
            hidden = {name: row[name] for name in names}
            yield _of(then, hidden | {"source": "code", "reason": row["suppression_reason"], "findings": 1})
    for one in asked.rules.suppressions:
        if one.counts_at(then.at):
            hides = [row for row in found if row["accepted_by"] is one]
            yield _of(then, {
                "source": one.source.value, "check_id": one.check, "file_path": one.path, "resource": one.resource,
                "id": one.shown_id,
                "reason": one.reason, "owner": one.owner, "since": one.since.isoformat() if one.since else None,
                "until": one.expires.isoformat(), "findings": len(hides),
            })  # fmt: skip


def _gaps(asked: Asked, then: LiveThen) -> Iterator[Row]:
    assert then.period is not None
    day = then.at.date()
    for part in scanned_parts(asked.history, asked.project, then.period.sha):
        named = {"framework": part["framework"]}
        if part["status"] == ScanStatus.FAILED:
            files = unread_count(part) if part["evidence"] else None
            yield named | {"file_path": "*", "reason": part["reason"], "files": files, "accepted": False}
            continue
        for gap in part["unreadable"]:
            accepted = accepting(asked.rules.accepted_gaps, part["framework"], gap["path"], day) is not None
            yield named | {
                "file_path": gap["path"], "reason": gap["reason"], "accepted": accepted,
                "files": count_of(gap["path"], gap["reason"]),
            }  # fmt: skip
