"""Counters in the text format of Prometheus."""

from collections.abc import Iterator
from threading import Lock

from infraauditai.findings import SEVERITIES, Finding


class Metrics:
    """Running totals of this process; every label set starts at 0."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._audits = {"done": 0, "refused": 0}
        self._findings = dict.fromkeys(SEVERITIES, 0)
        self._seconds = 0.0

    def audited(self, findings: list[Finding], seconds: float) -> None:
        with self._lock:
            self._audits["done"] += 1
            self._seconds += seconds
            for finding in findings:
                self._findings[finding.severity] += 1

    def refused(self) -> None:
        with self._lock:
            self._audits["refused"] += 1

    def exposition(self) -> str:
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield "# HELP infraauditai_audits_total Audits by result."
        yield "# TYPE infraauditai_audits_total counter"
        yield from (f'infraauditai_audits_total{{result="{name}"}} {count}' for name, count in self._audits.items())
        yield "# HELP infraauditai_findings_total Findings told, by severity."
        yield "# TYPE infraauditai_findings_total counter"
        yield from (f'infraauditai_findings_total{{severity="{name}"}} {n}' for name, n in self._findings.items())
        yield "# HELP infraauditai_audit_seconds_total Time spent on audits."
        yield "# TYPE infraauditai_audit_seconds_total counter"
        yield f"infraauditai_audit_seconds_total {self._seconds:.6f}"
