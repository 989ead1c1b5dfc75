"""Every commit that could be put in place of what is live, with what would return and leave, and what became of it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from infraaudit_domain.delivery.advice import TAKEN_BACK, Candidate
from infraaudit_domain.delivery.deployments import TRIED, Deployment
from infraaudit_domain.delivery.live_periods import Period, live_periods
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.judging.suppressions import Suppression, suppressed_by
from infraaudit_domain.reporting.order import finding_worst_first
from infraaudit_domain.scans.findings import Finding, ScanStatus
from resources.history import schema
from resources.history.decisions.rejections import rejected
from resources.history.deployments import deployments
from resources.history.rows import finding_of
from resources.history.stored_line import StoredLine

_OLDEST = 200
"""How many commits before what is live are looked at, beside those that were live in the environment."""


def ways_back(
    line: StoredLine, live: Deployment, suppressions: Sequence[Suppression], now: datetime, most: int | None = None
) -> list[Candidate]:
    """Candidates for the environment of what is live, newest first: what was healthy there, or could be deployed now;
    of the ``most`` newest commits.

    A commit that is not on the line (which a force-push took away, for example) comes last; its findings are not known.
    """
    positions = line.positions()
    attempts = deployments(line.history, line.project, live.environment)[::-1]
    periods = live_periods(attempts, positions)
    outcomes = _outcomes(attempts, periods)
    before = line.shas[: positions.get(live.sha, 0)][::-1]
    were_live = dict.fromkeys(period.sha for period in reversed(periods) if period.sha != live.sha)
    images = _with_image(line)
    shas = [sha for age, sha in enumerate(before) if sha in were_live or (age < _OLDEST and sha in images)]
    shas += [sha for sha in were_live if sha not in positions or live.sha not in positions]
    shas = shas[:most]
    findings = _findings(line, positions, [live.sha, *shas], suppressions, now)
    here = findings.get(live.sha)
    out = rejected(line.history, line.project)
    found = []
    for sha in shas:
        tests_green = judge_tests(line.history.test_run(line.project, sha)).passed
        if not tests_green and sha not in outcomes:
            continue
        there = findings.get(sha)
        is_known = here is not None and there is not None
        found.append(
            Candidate(
                sha,
                tests_green,
                sha in images or sha in were_live,
                returning=_without(there, here) if is_known else None,
                leaving=_without(here, there) if is_known else None,
                outcomes=tuple(outcomes.get(sha, ())),
                rejected=out[sha].reason if sha in out else "",
                hours_live=round(sum(period.hours(now) for period in periods if period.sha == sha), 2),
            )
        )
    return found


def _outcomes(attempts: Sequence[Deployment], periods: Sequence[Period]) -> Mapping[str, list[str]]:
    events = [(one.finished_at, one.sha, one.outcome.value) for one in attempts if one.outcome in TRIED]
    events += [(period.end or period.start, period.sha, TAKEN_BACK) for period in periods if period.was_taken_back]
    found = defaultdict[str, list[str]](list)
    for _, sha, outcome in sorted(events):
        found[sha].append(outcome)
    return found


def _with_image(line: StoredLine) -> set[str]:
    table = schema.images
    return {row["sha"] for row in line.history.rows(sa.select(table.c.sha).where(table.c.project == line.project))}


def _findings(
    line: StoredLine,
    positions: Mapping[str, int],
    shas: Collection[str],
    suppressions: Sequence[Suppression],
    now: datetime,
) -> dict[str, dict[str, Finding]]:
    """Open findings by lifecycle, of those commits of the line that were scanned completely; none that all have."""
    scans, spans = schema.scans, schema.spans
    complete = (scans.c.project == line.project) & (scans.c.status == ScanStatus.COMPLETE.value)
    known = {row["sha"] for row in line.history.rows(sa.select(scans.c.sha).where(complete))}
    found = {sha: dict[str, Finding]() for sha in shas if sha in known and sha in positions}
    if not found:
        return found
    last, first = max(positions[sha] for sha in found), min(positions[sha] for sha in found)
    end_of = sa.func.coalesce(spans.c.end_position, len(positions))
    some_have_it = (spans.c.start_position <= last) & (end_of > first)
    # What all of them have is no difference between any two.
    all_have_it = (spans.c.start_position <= first) & (end_of > last)
    query = sa.select(spans).where(line.is_in(spans), spans.c.status == "open", some_have_it, ~all_have_it)
    for row in line.history.rows(query):
        finding = finding_of(row)
        if suppressed_by(finding, suppressions, now.date()):
            continue
        for sha, standing in found.items():
            end = row["end_position"]
            if row["start_position"] <= positions[sha] and (end is None or positions[sha] < end):
                standing[row["life"]] = finding
    return found


def _without(some: Mapping[str, Finding] | None, others: Mapping[str, Finding] | None) -> tuple[Finding, ...]:
    left = [finding for life, finding in (some or {}).items() if life not in (others or {})]
    return tuple(sorted(left, key=lambda finding: (*finding_worst_first(finding), finding.fingerprint)))
