"""Judge a commit's scan for an environment, from what the history holds and what the configuration says today.

The one module where the gate's policy, what the site accepts and the history meet: the checks of a report, a deployment
and a promotion all use it. Deliberately absent: the rules (infraaudit_domain/judging/gate.py), tests, and the cross scans that
show what no code brought (infraaudit/scans/cross_scanning.py makes them before).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from infraaudit.accepted import accepted_by, beside_the_line
from infraaudit.scans.against_parent import CountedScan, counted_scan, up_to
from infraaudit.scans.ages import age_of_span, opening_commits
from infraaudit.scans.cross_scans import cross_scan
from infraaudit.scans.first_configuration import first_configuration
from infraaudit.scans.lifecycles import Line
from infraaudit.scans.moved_blocks import moves_between
from infraaudit_domain.judging.ages import Age
from infraaudit_domain.judging.as_judged import Counting, Judged
from infraaudit_domain.judging.gate import Evidence, GatePolicy, judge_scan
from infraaudit_domain.judging.suppressions import lapsed, suppressed_by
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.lifecycles.changes import FindingChanges, compare_scans
from infraaudit_domain.lifecycles.spans import Span
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Finding, Scan, ScanStatus
from resources.checkov.config_file import configuration
from resources.configuration.gate import read_gate
from resources.configuration.suppressions import Accepted
from resources.git.mirror import Mirror
from resources.history.queries.frames import commits_named
from resources.history.queries.rules import arrivals_of_rules
from resources.history.store import History


def judge_commit(
    history: History, mirror: Mirror, project: Project, environment: str, sha: str, gate_file: Path, now: datetime
) -> Verdict:
    """Whether a commit's scan lets it into an environment. Raises ConfigurationError for an invalid policy.

    What the project's owners accept is in a folder beside the gate's file.
    """
    return judge_scan(read_gate(gate_file), evidence_of(history, mirror, project, environment, sha, gate_file, now))


@dataclass(frozen=True, slots=True)
class JudgedRequest:
    """Whether a commit would be let in with all that it brings, and what that is."""

    verdict: Verdict
    against: str | None
    """The scanned commit that it is compared with."""
    changes: FindingChanges
    not_live: int | None


def judge_request(
    history: History, mirror: Mirror, project: Project, sha: str, base: str, gate_file: Path, now: datetime
) -> JudgedRequest | None:
    """Judge a commit for the first environment by all that it brings since ``base``; None where it has no scan."""
    where = project, project.environment.name, sha, gate_file, now
    evidence, counted = _evidence(history, mirror, *where, up_to(mirror, base) if base else [])
    if counted is None:
        return None
    not_live = None if evidence.not_live is None else len(evidence.not_live)
    return JudgedRequest(judge_scan(read_gate(gate_file), evidence), counted.against, counted.changes, not_live)


def evidence_of(
    history: History, mirror: Mirror, project: Project, environment: str, sha: str, gate_file: Path, now: datetime
) -> Evidence:
    """What the gate judges a commit by, as the configuration counts it. Raises ConfigurationError."""
    return _evidence(history, mirror, project, environment, sha, gate_file, now)[0]


def _evidence(
    history: History,
    mirror: Mirror,
    project: Project,
    environment: str,
    sha: str,
    gate_file: Path,
    now: datetime,
    earlier: Sequence[str] | None = None,
) -> tuple[Evidence, CountedScan | None]:
    policy = read_gate(gate_file)
    scan = history.scan(project.name, sha)
    standing = _Standing.of(history, mirror, project, sha, now) if scan else None
    # After the line was followed: only then are the names known that findings have in this commit.
    accepted = accepted_by(history, gate_file.parent, project.name)
    if scan is None:
        return Evidence(None), None
    day = now.astimezone(UTC).date()
    suppressions = accepted.suppressions
    if standing is not None:
        suppressions = beside_the_line(standing.line, standing.line.mirror, sha, suppressions)
    view = _GateView(mirror, project, _counting(history, mirror, project, policy, accepted, day))
    counted = counted_scan(history, mirror, project.name, scan, suppressions, day, view, earlier)
    beside = _beside_live(history, mirror, project, environment, view, scan, standing)
    not_live = None if beside is None else [f for f in beside.not_live if not suppressed_by(f, suppressions, day)]
    unread = [f for f in standing.unread(counted.scan) if not suppressed_by(f, suppressions, day)] if standing else ()
    by_rules = standing.rule_days if standing else {}
    judged = view.judged(sha)
    evidence = Evidence(
        scan=judged.without_accepted_gaps(counted.scan),
        unread=unread,
        new=(*counted.changes.new, *counted.changes.perhaps_new) if counted.against else (),
        not_live=not_live,
        ages=standing.ages() if policy.max_age_days and standing else None,
        lapsed=(*lapsed(counted.scan.findings, suppressions, day), *judged.lapsed(counted.scan)),
        by_rules=_by_rules(counted.changes, by_rules, scan, now),
        not_live_by_rules=_by_rules(beside.changes, by_rules, scan, now) if beside and beside.changes else {},
        standing_by_rules=by_rules,
    )
    return evidence, counted


def _counting(
    history: History, mirror: Mirror, project: Project, policy: GatePolicy, accepted: Accepted, day: date
) -> Counting:
    return Counting(
        day=day,
        hidings=(*policy.accepted_hidings, *accepted.hidings),
        gaps=accepted.gaps,
        trusted=first_configuration(history, mirror, project),
        unskippable=policy.unskippable_checks,
        inline=policy.inline_suppressions,
    )


class _GateView:
    """Scans of a project as the gate counts them."""

    def __init__(self, mirror: Mirror, project: Project, rules: Counting) -> None:
        self._mirror, self._path, self._rules = mirror, project.paths.checkov_config, rules
        self._by_commit: dict[str, Judged] = {}

    def __call__(self, scan: Scan, config_of: str | None = None) -> Scan:
        return self.judged(config_of or scan.sha).scan(scan)

    def judged(self, sha: str) -> Judged:
        if sha not in self._by_commit:
            self._by_commit[sha] = Judged(configuration(self._mirror, sha, self._path)[0], self._rules)
        return self._by_commit[sha]


@dataclass(frozen=True)
class _Standing:
    """The findings that stand in a commit, by their lifecycles along the deploy branch."""

    line: Line
    path: Sequence[str]
    spans: Sequence[Span]
    now: datetime
    arrivals: Mapping[tuple[str, int], datetime]

    @classmethod
    def of(cls, history: History, mirror: Mirror, project: Project, sha: str, now: datetime) -> "_Standing | None":
        """None where the repository has no deploy branch."""
        if project.deploy_branch not in mirror.branches():
            return None
        line = Line(history, mirror, project.name, project.deploy_branch).follow()
        path, spans = line.standing(sha)
        return cls(line, path, spans, now, arrivals_of_rules(line))

    def unread(self, scan: Scan) -> list[Finding]:
        """Open findings that stand though the commit's scan did not read where they are.

        Also where a later scan read them again: a span remembers a gap only as long as that lasts.
        """
        reported = {finding.fingerprint for finding in scan.findings}
        standing = (span.finding for span in self.spans)
        return [finding for finding in standing if finding.is_open and finding.fingerprint not in reported]

    @property
    def rule_days(self) -> dict[str, float]:
        """For findings that a rule brought, the days since it arrived, by fingerprint."""
        arrived = {s.finding.fingerprint: self.arrivals.get((s.life, s.opened)) for s in self.spans}
        return {mark: (self.now - moment).total_seconds() / 86400 for mark, moment in arrived.items() if moment}

    def ages(self) -> dict[str, Age]:
        """How long each finding has stood; one that a rule brought, since the rule arrived."""
        commits = commits_named(self.line.history, self.line.project, opening_commits(self.path, self.spans))
        times = {sha: commit["committed_at"] for sha, commit in commits.items()}
        ages = {span.finding.fingerprint: age_of_span(self.path, span, times, self.now) for span in self.spans}
        by_rules = {mark: Age(days, days) for mark, days in self.rule_days.items()}
        return {mark: age for mark, age in (ages | by_rules).items() if age is not None}


@dataclass(frozen=True)
class _BesideLive:
    """A commit's open findings whose lifecycles do not stand open in what is live."""

    not_live: Sequence[Finding]
    changes: FindingChanges | None = None
    """Between the two commits; None where nothing is live."""


def _beside_live(
    history: History,
    mirror: Mirror,
    project: Project,
    environment: str,
    view: _GateView,
    scan: Scan,
    standing: _Standing | None,
) -> _BesideLive | None:
    """None where it is not known what stands in what is live."""
    live = history.live(project.name, environment)
    if live is None:
        return _BesideLive(())
    stored = history.scan(project.name, live.sha)
    if stored is None or stored.status is ScanStatus.FAILED:
        return None
    before, now = view(stored), view(scan)
    cross = cross_scan(history, project.name, live.sha, scan.sha)
    seen = view(cross, scan.sha) if cross else None
    renames, moves = mirror.renames(live.sha, scan.sha), moves_between(mirror, live.sha, scan.sha)
    changes = compare_scans(before, now, renames, seen, moves)
    if standing is None:
        return _BesideLive((*changes.new, *changes.perhaps_new), changes)
    counted = {finding.fingerprint for finding in before.findings if finding.is_open}
    here = {span.finding.fingerprint: span.life for span in standing.spans}
    there = [
        span
        for span in standing.line.standing(live.sha)[1]
        if span.finding.is_open or span.finding.fingerprint in counted
    ]
    known = {span.life for span in there} | {span.finding.fingerprint for span in there}
    still_open = [*(finding for finding in now.findings if finding.is_open), *standing.unread(now)]
    return _BesideLive(
        tuple(f for f in still_open if f.fingerprint not in known and here.get(f.fingerprint) not in known), changes
    )


def _by_rules(changes: FindingChanges, standing: Mapping[str, float], scan: Scan, now: datetime) -> dict[str, float]:
    """New findings that the cross scan proves to be no code's doing, with the days since their rule arrived."""
    since_scan = max(0.0, (now - scan.started_at).total_seconds() / 86400)
    return {finding.fingerprint: standing.get(finding.fingerprint, since_scan) for finding in changes.by_rules}
