"""Judge a commit's scan for an environment, from what the history holds and what the configuration says today.

The one module where the gate's policy, the suppressions and the history meet: the checks of a report, a deployment
and a promotion all use it. Deliberately absent: the rules (infraaudit_domain/gate.py), and tests.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from infraaudit.scans.against_parent import counted_scan
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.ages import Age, age_of, is_exact
from infraaudit_domain.changes import compare_scans
from infraaudit_domain.findings import Finding, Scan, ScanStatus
from infraaudit_domain.gate import Evidence, Verdict, judge_scan
from infraaudit_domain.projects import Project
from infraaudit_domain.suppressions import lapsed, suppressed_by
from resources.configuration.gate import read_gate
from resources.configuration.suppressions import read_suppressions
from resources.git.mirror import Mirror
from resources.history.queries.frames import commits_named
from resources.history.store import History


def judge_commit(
    history: History, mirror: Mirror, project: Project, environment: str, sha: str, gate_file: Path, now: datetime
) -> Verdict:
    """Whether a commit's scan lets it into an environment. Raises ConfigurationError for an invalid policy.

    The project's suppressions are in a folder beside the gate's file.
    """
    policy = read_gate(gate_file)
    suppressions = read_suppressions(gate_file.parent, project.name)
    scan = history.scan(project.name, sha)
    if scan is None:
        return judge_scan(policy, Evidence(None))
    day = now.astimezone(UTC).date()
    counted = counted_scan(history, mirror, project.name, scan, suppressions, day)
    line = _line(history, mirror, project)
    not_live = _not_live(history, mirror, project, environment, scan, line)
    return judge_scan(
        policy,
        Evidence(
            scan=counted.scan,
            new=(*counted.changes.new, *counted.changes.perhaps_new) if counted.against else (),
            not_live=not_live and tuple(f for f in not_live if suppressed_by(f, suppressions, day) is None),
            ages=_ages(line, sha, now) if policy.max_age_days and line else None,
            lapsed=lapsed(counted.scan.findings, suppressions, day),
        ),
    )


def _line(history: History, mirror: Mirror, project: Project) -> Line | None:
    """The followed deploy branch; None where the repository has none."""
    if project.deploy_branch not in mirror.branches():
        return None
    return Line(history, mirror, project.name, project.deploy_branch).follow()


def _not_live(
    history: History, mirror: Mirror, project: Project, environment: str, scan: Scan, line: Line | None
) -> tuple[Finding, ...] | None:
    """The open findings of a commit whose lifecycles do not stand open in what is live; None where that is not known."""
    live = history.live(project.name, environment)
    if live is None:
        return ()
    before = history.scan(project.name, live.sha)
    if before is None or before.status is ScanStatus.FAILED:
        return None
    still_open = [finding for finding in scan.findings if finding.is_open]
    if line is None:
        changes = compare_scans(before, scan, mirror.renames(live.sha, scan.sha))
        return (*changes.new, *changes.perhaps_new)
    here = {span.finding.fingerprint: span.life for span in line.standing(scan.sha)[1]}
    standing = [span for span in line.standing(live.sha)[1] if span.finding.is_open]
    known = {span.life for span in standing} | {span.finding.fingerprint for span in standing}
    return tuple(f for f in still_open if f.fingerprint not in known and here.get(f.fingerprint) not in known)


def _ages(line: Line, sha: str, now: datetime) -> dict[str, Age]:
    path, spans = line.standing(sha)
    bounds = {bound for span in spans for bound in (span.opened, span.opened_after) if bound is not None and bound >= 0}
    commits = commits_named(line.history, line.project, {path[position] for position in bounds})
    times = {position: commits[path[position]]["committed_at"] for position in bounds if path[position] in commits}
    return {
        span.finding.fingerprint: age_of(
            times[span.opened], is_exact(span.opened_after, span.opened), _time(times, span.opened_after), now
        )
        for span in spans
        if span.opened in times
    }


def _time(times: Mapping[int, datetime], position: int | None) -> datetime | None:
    return None if position is None else times.get(position)
