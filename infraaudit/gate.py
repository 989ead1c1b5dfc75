"""Judge a commit's scan for an environment, from what the history holds and what the configuration says today.

The one module where the gate's policy, the suppressions and the history meet: the checks of a report, a deployment
and a promotion all use it. Deliberately absent: the rules (infraaudit_domain/gate.py), and tests.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from infraaudit.scans.against_parent import counted_scan
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.changes import compare_scans
from infraaudit_domain.findings import Finding, Scan, ScanStatus
from infraaudit_domain.gate import Evidence, Verdict, judge_scan
from infraaudit_domain.projects import Project
from infraaudit_domain.suppressions import Suppression, lapsed, suppressed_by
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
    return judge_scan(
        policy,
        Evidence(
            scan=counted.scan,
            new=counted.changes.new if counted.against else (),
            not_live=_not_live(history, mirror, project, environment, scan, suppressions, now),
            age_days=_ages(history, mirror, project, sha, now) if policy.max_age_days else None,
            lapsed=lapsed(counted.scan.findings, suppressions, day),
        ),
    )


def _not_live(
    history: History,
    mirror: Mirror,
    project: Project,
    environment: str,
    scan: Scan,
    suppressions: Sequence[Suppression],
    now: datetime,
) -> tuple[Finding, ...] | None:
    live = history.live(project.name, environment)
    if live is None:
        return ()
    before = history.scan(project.name, live.sha)
    if before is None or before.status is ScanStatus.FAILED:
        return None
    new = compare_scans(before, scan, mirror.renames(live.sha, scan.sha)).new
    day = now.astimezone(UTC).date()
    return tuple(finding for finding in new if suppressed_by(finding, suppressions, day) is None)


def _ages(history: History, mirror: Mirror, project: Project, sha: str, now: datetime) -> dict[str, float] | None:
    if project.deploy_branch not in mirror.branches():
        return None
    path, spans = Line(history, mirror, project.name, project.deploy_branch).follow().standing(sha)
    commits = commits_named(history, project.name, {path[span.opened] for span in spans})
    return {
        span.finding.fingerprint: (now - commits[path[span.opened]]["committed_at"]).total_seconds() / 86400
        for span in spans
        if path[span.opened] in commits
    }
