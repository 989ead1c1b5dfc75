"""The gate's verdict on commits of a line at any time, from the stored lifecycles: for thousands of them at once.

It is the verdict that infraaudit/gate.py gives with Git at hand, and a test holds it to that. What is new is what did
not stand in the scanned commit before, by lifecycle; so is what is not live. Deliberately absent: commits that are not
on the line, whose lifecycles are not stored.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from infraaudit.questions.asked import ProjectRules
from infraaudit.questions.replay.past_scans import PastScan, cross_scanned, past_scans
from infraaudit.questions.replay.past_spans import PastSpans
from infraaudit_domain.judging.ages import Age, age_of
from infraaudit_domain.judging.as_judged import Counting, Judged
from infraaudit_domain.judging.gate import Evidence, GatePolicy, judge_scan
from infraaudit_domain.judging.gate_replay import OpenFindings
from infraaudit_domain.judging.suppressions import Lapsed, Suppression
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.lifecycles.causes import CODE
from infraaudit_domain.scans.checkov_config import CheckovConfig
from infraaudit_domain.scans.findings import Finding, FindingStatus, FrameworkScan, Scan, ScanStatus, Severity
from resources.checkov.config_file import configuration
from resources.history.queries.frames import commits_named, line_times
from resources.history.queries.rules import arrivals_of_rules
from resources.history.stored_line import StoredLine
from resources.history.trusted import trusted_configuration

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A commit as the gate sees it, before suppressions: its findings by span, in order."""

    read: Mapping[int, Finding]
    unread: Mapping[int, Finding]
    """Open findings that stand where its scan did not read."""
    open_lives: Collection[str]


class PastJudge:
    """Judges the commits of a line that it was made for, each at a time and against what was live then."""

    def __init__(
        self, line: StoredLine, policy: GatePolicy, rules: ProjectRules, shas: Iterable[str], until: date
    ) -> None:
        """``until`` is the last day on which anything is judged."""
        self._line, self._policy, self._rules = line, policy, rules
        self._positions = line.positions()
        self._scans = past_scans(line, policy.required_frameworks)
        self._before = _scanned_before(line.shas, self._scans)
        wanted = {self._positions[sha] for sha in shas if sha in self._positions}
        before = {at for one in wanted if (at := self._before[one]) is not None}
        self._spans = PastSpans(line, wanted | before)
        self._lives: Sequence[str] = self._spans.columns["life"]
        self._proven, self._arrivals = cross_scanned(line), arrivals_of_rules(line)
        self._times = line_times(line) if policy.max_age_days else {}
        self._side_times = self._times_beside() if policy.max_age_days else {}
        known = trusted_configuration(line.history, line.project)
        self._trusted = known[1] if known else CheckovConfig()
        self._configs: dict[str, CheckovConfig] = {}
        self._seen_at: dict[str, _Seen] = {}
        self._matching: dict[int, tuple[Suppression, ...]] = {}
        named = {*policy.open, *policy.new, *policy.new_in_environment, *policy.max_age_days}
        # A decision that ended stops for a finding of any severity; all else only for those that the policy names.
        may_lapse = self._has_hidings or any(one.expires < until for one in rules.suppressions)
        wanted_ones = {one.value for one in (Severity if may_lapse else named)}
        self._matters = [severity in wanted_ones for severity in self._spans.columns["severity"]]
        self._rank = self._spans.ranks.__getitem__

    def verdict(self, sha: str, live: str | None, now: datetime) -> Verdict | None:
        """The verdict on a commit; None for one that is not on the line."""
        if sha not in self._positions:
            return None
        past = self._scans.get(sha)
        if past is None:
            return judge_scan(self._policy, Evidence(None))
        day = _day(now)
        seen, judged = self._seen(sha, day), self._judged(sha, day)
        scan = judged.without_accepted_gaps(self._scan(sha, past, self._shown(seen.read, now)))
        unread = [one for span, one in seen.unread.items() if not self._is_hidden(span, now)]
        new, not_live = self._new(sha, seen, now), self._not_live(live, seen, now)
        return judge_scan(
            self._policy,
            Evidence(
                scan=scan,
                unread=unread,
                new=list(new.values()),
                not_live=None if not_live is None else list(not_live.values()),
                ages=self._ages(seen, now) if self._policy.max_age_days else None,
                lapsed=(*self._lapsed(seen, now), *(judged.lapsed(scan) if self._has_hidings else ())),
                by_rules=self._rule_days(new, now, is_proven=True),
                not_live_by_rules=self._rule_days(not_live or {}, now, is_proven=True),
                standing_by_rules=self._rule_days(seen.read, now),
            ),
        )

    def standing(self, sha: str) -> OpenFindings | None:
        """The open findings of a commit; None where it has no usable scan, or is not on the line."""
        past, position = self._scans.get(sha), self._positions.get(sha)
        if past is None or position is None or past.status is ScanStatus.FAILED:
            return None
        status, severity = self._spans.columns["status"], self._spans.columns["severity"]
        still_open = (span for span in self._spans.at[position] if status[span] == FindingStatus.OPEN)
        return {self._lives[span]: Severity(severity[span]) for span in still_open}

    @property
    def _has_hidings(self) -> bool:
        return bool(self._policy.accepted_hidings or self._rules.accepted_hidings)

    def _seen(self, sha: str, day: date) -> _Seen:
        key = f"{sha} {day}" if self._has_hidings else sha
        if key not in self._seen_at:
            position, scan = self._positions[sha], self._scans[sha]
            standing = sorted(filter(self._matters.__getitem__, self._spans.at[position]), key=self._rank)
            read, is_usable, gaps = dict[int, Finding](), scan.status is not ScanStatus.FAILED, scan.gaps
            unread = dict[int, Finding]()
            for span in standing:
                finding = self._spans.finding(span)
                if is_usable and self._spans.is_read(span, position, gaps):
                    read[span] = finding
                elif finding.is_open:
                    unread[span] = finding
            if any(not finding.is_open for finding in read.values()):
                judged = self._judged(sha, day).scan(self._scan(sha, scan, read.values())).findings
                read = dict(zip(read, judged, strict=False))
            lives = {self._lives[span] for span, one in read.items() if one.is_open}
            self._seen_at[key] = _Seen(read, unread, lives | {self._lives[span] for span in unread})
        return self._seen_at[key]

    def _judged(self, sha: str, day: date) -> Judged:
        rules = Counting(
            day=day,
            hidings=(*self._policy.accepted_hidings, *self._rules.accepted_hidings),
            gaps=self._rules.accepted_gaps,
            trusted=self._trusted,
            unskippable=self._policy.unskippable_checks,
            inline=self._policy.inline_suppressions,
        )
        return Judged(self._config(sha), rules)

    def _config(self, sha: str) -> CheckovConfig:
        """What the commit's Checkov configuration hides; nothing that may be accepted where there is no mirror."""
        digest, mirror = self._scans[sha].config_digest, self._rules.mirror
        if digest not in self._configs:
            found = configuration(mirror, sha, self._rules.checkov_config)[0] if mirror else CheckovConfig()
            self._configs[digest] = found
        return self._configs[digest]

    def _scan(self, sha: str, past: PastScan, findings: Iterable[Finding]) -> Scan:
        """The findings first, as one complete result, then what is not complete or asked for."""
        whole = FrameworkScan("all", "", ScanStatus.COMPLETE, tuple(findings))
        parts = past.parts if past.status is ScanStatus.FAILED else (whole, *past.parts)
        return Scan(sha, tuple(parts), "", past.config_digest, _NEVER, 0.0)

    def _shown(self, read: Mapping[int, Finding], now: datetime) -> Iterator[Finding]:
        return (one for span, one in read.items() if not one.is_open or not self._is_hidden(span, now))

    def _is_hidden(self, span: int, now: datetime) -> bool:
        return bool(self._rules.suppressions) and any(one.counts_at(now) for one in self._matched(span))

    def _matched(self, span: int) -> tuple[Suppression, ...]:
        if span not in self._matching:
            finding = self._spans.finding(span)
            self._matching[span] = tuple(one for one in self._rules.suppressions if one.matches(finding))
        return self._matching[span]

    def _new(self, sha: str, seen: _Seen, now: datetime) -> dict[int, Finding]:
        """None where no commit before was scanned: then there is nothing to compare with."""
        before = self._before[self._positions[sha]]
        if before is None or not self._policy.new:
            return {}
        known = self._seen(self._line.shas[before], _day(now)).open_lives
        return self._left(seen.read, known, now)

    def _not_live(self, live: str | None, seen: _Seen, now: datetime) -> dict[int, Finding] | None:
        if not self._policy.new_in_environment or live is None:
            return {}
        past = self._scans.get(live)
        if past is None or past.status is ScanStatus.FAILED or live not in self._positions:
            return None
        known = self._seen(live, _day(now)).open_lives
        return self._left(seen.read, known, now) | self._left(seen.unread, known, now)

    def _left(self, some: Mapping[int, Finding], known: Collection[str], now: datetime) -> dict[int, Finding]:
        return {
            span: one
            for span, one in some.items()
            if one.is_open and self._lives[span] not in known and not self._is_hidden(span, now)
        }

    def _lapsed(self, seen: _Seen, now: datetime) -> list[Lapsed]:
        ended = [one for one in self._rules.suppressions if one.had_expired(_day(now))]
        still_open = [s for s, one in seen.read.items() if one.is_open and not self._is_hidden(s, now)] if ended else []
        found = ((one, tuple(seen.read[span] for span in still_open if one in self._matched(span))) for one in ended)
        return [Lapsed(one, findings) for one, findings in found if findings]

    def _rule_days(self, some: Iterable[int], now: datetime, is_proven: bool = False) -> dict[str, float]:
        """For findings that a rule brought, the days since it arrived; only proven ones where that is asked for."""
        if not self._arrivals:
            return {}
        columns, found = self._spans.columns, dict[str, float]()
        for span in some:
            arrived = self._arrivals.get((self._lives[span], columns["opened_position"][span]))
            if arrived is not None and (not is_proven or self._is_proven(span)):
                found[columns["fingerprint"][span]] = (now - arrived).total_seconds() / 86400
        return found

    def _is_proven(self, span: int) -> bool:
        start = self._spans.columns["start_position"][span]
        before = self._before[start]
        is_by_rules = self._spans.columns["start_cause"][span] != CODE
        pair = (self._line.shas[before], self._line.shas[start]) if before is not None else None
        return is_by_rules and pair in self._proven

    def _ages(self, seen: _Seen, now: datetime) -> dict[str, Age]:
        spans, columns = [*seen.read, *seen.unread], self._spans.columns
        severities = {severity.value for severity in self._policy.max_age_days}
        ages = {span: self._age(span, now) for span in spans if columns["severity"][span] in severities}
        by_rules = {mark: Age(days, days) for mark, days in self._rule_days(ages, now).items()}
        return {columns["fingerprint"][span]: age for span, age in ages.items() if age is not None} | by_rules

    def _age(self, span: int, now: datetime) -> Age | None:
        position, after, sha = (self._spans.columns[f"opened_{name}"][span] for name in ("position", "after", "sha"))
        opened = self._side_times.get(sha) if sha else self._times.get(position)
        lacking = self._times.get(after) if after is not None and after >= 0 else None
        return age_of(opened, sha is not None, lacking, now) if opened else None

    def _times_beside(self) -> dict[str, datetime]:
        opened = {sha for sha in self._spans.columns["opened_sha"] if sha}
        named = commits_named(self._line.history, self._line.project, opened)
        return {sha: row["committed_at"] for sha, row in named.items()}


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()


def _scanned_before(shas: Sequence[str], scans: Mapping[str, Any]) -> list[int | None]:
    """By position, the last position before it with a usable scan."""
    found: list[int | None] = []
    last: int | None = None
    for position, sha in enumerate(shas):
        found.append(last)
        if sha in scans and scans[sha].status is not ScanStatus.FAILED:
            last = position
    return found
