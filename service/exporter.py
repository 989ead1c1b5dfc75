"""Metrics of the history, read at scrape time.

A counter pushed by runs would restart with each run; totals of the history do not. Every known label set starts at 0,
so that the first failure is an increase. An unreadable history is reported as a sample, not as an error page.
"""

import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import accumulate

import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.dora import Dora
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import COUNTS
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.log_lines import LEVELS
from infraaudit_domain.pushes import PushState
from infraaudit_domain.reporting import metrics as m
from infraaudit_domain.scans.findings import FindingStatus, ScanStatus, Severity
from resources.history import History, schema
from resources.history.decisions.judgements import judgement_rows
from resources.history.deployments import live_since
from resources.history.looks import looked_at
from resources.history.outbox import UNHEARD_FOR, notices_by_project
from resources.history.queries.coverage import files_of_result
from resources.history.queries.environments import dora, environments, project_names
from resources.history.queries.log_counts import lines_printed
from resources.history.queries.measures import RunningTotals, added_up, counted, findings_of, newest
from resources.history.retention import pruned_messages

_MOST_RESULTS = 10_000
_CHANGES = ("introduced", "reopened", "fixed")
_PUSH_OUTCOMES = (PushState.DONE, PushState.IGNORED, PushState.FAILED)


class HistoryCollector(Collector):
    """Reads the history at each scrape."""

    def __init__(
        self, history: History, rejected: Counter[str] | None = None, addresses: Mapping[str, int] | None = None
    ) -> None:
        self._history, self._addresses = history, addresses or {}
        self._totals = RunningTotals(history)
        self._rejected = rejected if rejected is not None else Counter()
        self._lock = threading.Lock()
        self._files: dict[str, dict[str, int]] = {}
        self._measured: dict[tuple[str, str], tuple[Hashable, Dora]] = {}

    def describe(self) -> Iterable[Family]:
        return []

    def collect(self) -> Iterator[Family]:
        began = time.perf_counter()
        families: list[Family] = []
        try:
            # Two concurrent scrapes would both add the same new stages.
            with self._lock:
                for read in (self._scans, self._artifacts, self._stages, self._deployments, self._logs, self._messages):
                    families += read()
        except HistoryError:
            yield _family(m.READ_OK, [((), 0)])
            return
        yield from families
        yield _family(m.REJECTED, [((reason,), count) for reason, count in self._rejected.items()])
        yield _family(m.READ_OK, [((), 1)])
        yield _family(m.READ_SECONDS, [((), time.perf_counter() - began)])

    def _scans(self) -> list[Family]:
        history, projects = self._history, project_names(self._history)
        findings: dict[tuple[str, ...], float] = {}
        times: list[tuple[tuple[str, ...], float]] = []
        files: dict[tuple[str, ...], float] = {}
        for project in projects:
            # A scan that failed says nothing of the findings, which are not zero for it.
            scan = newest(history, schema.scans, project, schema.scans.c.status != ScanStatus.FAILED.value)
            if scan is None:
                continue
            times.append(((project,), scan["started_at"].timestamp()))
            counts = findings_of(history, project, scan["sha"])
            parts = {row["framework"]: row["scan_key"] for row in _parts(history, project, scan["sha"])}
            files |= {
                (project, name, state): number for name, key in parts.items() for state, number in self._read(key)
            }
            findings |= {(project, f, s.value, st.value): 0 for f in parts for s in Severity for st in FindingStatus}
            findings |= {(project, *key): number for key, number in counts.items()}
        scans = {(p, s.value): 0 for p in projects for s in ScanStatus} | counted(
            history, schema.scans, "project", "status"
        )
        changes = {(p, change): 0 for p in projects for change in _CHANGES} | dict(self._totals.finding_changes())
        return [
            _family(m.FINDINGS, findings.items()),
            _family(m.SCAN_FILES, files.items()),
            _family(m.SCAN_TIME, times),
            _family(m.SCANS, scans.items()),
            _family(m.FINDING_CHANGES, changes.items()),
            _family(m.COMMITS, ({(p,): 0 for p in projects} | counted(history, schema.commits, "project")).items()),
        ]

    def _read(self, scan_key: str) -> Iterable[tuple[str, int]]:
        """Files by state; a stored result is unpacked once."""
        if scan_key not in self._files:
            if len(self._files) > _MOST_RESULTS:
                self._files.clear()
            self._files[scan_key] = files_of_result(self._history, scan_key)
        return self._files[scan_key].items()

    def _artifacts(self) -> list[Family]:
        images = {p: newest(self._history, schema.images, p) for p in project_names(self._history)}
        tests = {p: newest(self._history, schema.test_runs, p) for p in images}
        return [
            _family(m.BUILD_SECONDS, [((p,), row["build_seconds"]) for p, row in images.items() if row]),
            _family(m.IMAGE_SIZE, [((p,), row["size_bytes"]) for p, row in images.items() if row]),
            _family(
                m.TESTS,
                [((p, o.value), row[column]) for p, row in tests.items() if row for o, column in COUNTS.items()],
            ),
        ]

    def _stages(self) -> list[Family]:
        self._totals.read_stages()
        durations = HistogramMetricFamily(m.STAGE_DURATION.name, m.STAGE_DURATION.help, labels=m.STAGE_DURATION.labels)
        bounds = [*(str(bound) for bound in m.STAGE_BUCKETS), "+Inf"]
        for key, total in sorted(self._totals.stages.items()):
            buckets = list(zip(bounds, accumulate(total.buckets), strict=True))
            durations.add_metric(key, buckets, total.seconds)
        projects = project_names(self._history)
        runs = {(p, o): 0 for p in projects for o in (StageOutcome.SUCCEEDED.value, StageOutcome.FAILED.value)} | dict(
            self._totals.runs(datetime.now(UTC))
        )
        return [durations, _family(m.RUNS, runs.items())]

    def _deployments(self) -> list[Family]:
        history, keys = self._history, environments(self._history)
        outcomes: dict[tuple[str, ...], int] = {(*key, o.value): 0 for key in keys for o in Outcome}
        outcomes |= counted(history, schema.deployments, "project", "environment", "outcome")
        # What is under way has not ended in any way, and a counter never falls.
        ended = {labels: number for labels, number in outcomes.items() if labels[2] != Outcome.RUNNING}
        live = {key: found for key in keys if (found := history.live(*key))}
        findings: dict[tuple[str, ...], float] = {}
        for key, deployed in live.items():
            findings |= {(*key, severity.value): 0 for severity in Severity}
            for (_, severity, status), number in findings_of(history, key[0], deployed.sha).items():
                if status == FindingStatus.OPEN:
                    findings[(*key, severity)] += number
        now = datetime.now(UTC)
        measured = {key: self._dora(key, now) for key in keys}
        return [
            _family(m.DEPLOYMENTS, ended.items()),
            _family(m.DEPLOYMENT_INFO, [((*key, d.sha, d.image, self._digest(d)), 1) for key, d in live.items()]),
            _family(m.DEPLOYMENT_TIME, [(key, live_since(history, d).timestamp()) for key, d in live.items()]),
            _family(m.LOOK_TIME, [(key, at.timestamp()) for key, at in looked_at(history).items() if key in live]),
            _family(m.FINDINGS_LIVE, findings.items()),
            _family(m.LIVE_PASSES, _judged(history, live).items()),
            _known(m.LEAD_TIME, {key: d.lead_seconds for key, d in measured.items()}),
            _known(m.CHANGE_FAILURE, {key: d.failure_ratio for key, d in measured.items()}),
            _known(m.RESTORE_TIME, {key: d.restore_seconds for key, d in measured.items()}),
            _known(m.DEPLOYS_PER_DAY, {key: d.per_day for key, d in measured.items()}),
            _known(m.INCIDENT_OPEN, {key: float(d.incident_open) for key, d in measured.items()}),
        ]

    def _logs(self) -> list[Family]:
        history, keys = self._history, environments(self._history)
        lines: dict[tuple[str, ...], int] = {(*key, level): 0 for key in keys for level in LEVELS}
        lines |= added_up(history, schema.log_counts.c.lines, "project", "environment", "level")
        ratios: dict[tuple[str, str], float | None] = {}
        for key in keys:
            if live := history.live(*key):
                printed = lines_printed(history, key[0], live.sha, key[1])
                ratios[key] = printed.get("error", 0) / max(sum(printed.values()), 1)
        return [_family(m.LOG_LINES, lines.items()), _known(m.LOG_ERRORS, ratios)]

    def _digest(self, deployed: Deployment) -> str:
        """The registry's digest of what is deployed, or the engine's id where the image is in no registry."""
        image = self._history.image(deployed.project, deployed.sha)
        return (image.digest or image.image_id) if image else ""

    def _dora(self, key: tuple[str, str], now: datetime) -> Dora:
        """The measures of a (project, environment), computed again after each deployment and every quarter of an
        hour."""
        table = schema.deployments
        wanted = (table.c.project == key[0]) & (table.c.environment == key[1])
        newest_id = self._history.rows(sa.select(sa.func.max(table.c.id).label("id")).where(wanted))[0]["id"]
        version = (newest_id, int(now.timestamp()) // 900)
        known = self._measured.get(key)
        if known is None or known[0] != version:
            known = self._measured[key] = (version, dora(self._history, *key, now))
        return known[1]

    def _messages(self) -> list[Family]:
        history, projects = self._history, project_names(self._history)
        stored = counted(history, schema.deliveries, "project", "state")
        pruned = pruned_messages(history, "push")
        keys = [(p, s.value) for p in projects for s in _PUSH_OUTCOMES]
        ended = {key: stored.get(key, 0) + pruned.get(key, 0) for key in keys}
        undone = {(p,): stored.get((p, PushState.WAITING.value), 0) for p in projects}
        notices = notices_by_project(history, projects, datetime.now(UTC) - UNHEARD_FOR)
        pruned_notices = {project: n for (project, _), n in pruned_messages(history, "notice").items()}
        sent = {(p,): found.sent + pruned_notices.get(p, 0) for p, found in notices.items()}
        return [
            _family(m.PUSHES, ended.items()),
            _family(m.PUSHES_WAITING, undone.items()),
            _family(m.NOTICES_SENT, sent.items()),
            _family(m.NOTICES_WAITING, [((p,), found.waiting) for p, found in notices.items()]),
            _family(m.NOTICES_UNDELIVERED, [((p,), found.undelivered) for p, found in notices.items()]),
            _family(m.NOTICE_ADDRESSES, [((p,), number) for p, number in self._addresses.items()]),
            _family(m.NOTICE_OLDEST, [((p,), n.oldest.timestamp()) for p, n in notices.items() if n.oldest]),
        ]


def _judged(history: History, live: Mapping[tuple[str, str], Deployment]) -> dict[tuple[str, ...], float]:
    """Of what is live now; nothing of what has not been judged yet."""
    rows = {(row["project"], row["environment"]): row for row in judgement_rows(history)}
    return {key: float(rows[key]["passed"]) for key, d in live.items() if key in rows and rows[key]["sha"] == d.sha}


def _parts(history: History, project: str, sha: str) -> Iterable[sa.RowMapping]:
    table = schema.scan_parts
    columns = table.c.framework, table.c.scan_key
    return history.rows(sa.select(*columns).where(table.c.project == project, table.c.sha == sha))


def _known(metric: m.Metric, values: dict[tuple[str, str], float | None]) -> Family:
    return _family(metric, [(labels, value) for labels, value in values.items() if value is not None])


def _family(metric: m.Metric, samples: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
