"""Measure a release that has become healthy, and record what was measured.

Deliberately absent: what follows from it (deploy.py), and the rule (infraaudit_domain/delivery/analysis.py).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from infraaudit_domain.delivery.analysis import Analysis, Measured, Threshold, judge
from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import ConfigurationError, MonitoringError
from infraaudit_domain.projects import Environment
from resources.history import History
from resources.history.decisions.measurements import record_measurements
from resources.prometheus import values_of

Ask = Callable[[str], Sequence[float]]
"""The values of an expression now. Raises MonitoringError."""


@dataclass(frozen=True, slots=True)
class Analyser:
    """Measures releases of one environment."""

    history: History
    analysis: Analysis
    ask: Ask

    def __call__(
        self, release: Release, started_at: datetime, on_progress: Callable[[str], None]
    ) -> tuple[Measured, ...]:
        """Measure until the time is up, or something is outside its limits; the attempt of ``started_at`` has it."""
        after = f", after {self.analysis.after:g} s" if self.analysis.after else ""
        on_progress(f"available; it is measured for {self.analysis.seconds:g} s{after}")
        time.sleep(self.analysis.after)
        found = self._measured(release)
        record_measurements(self.history, release, started_at, found)
        return found

    def _measured(self, release: Release) -> tuple[Measured, ...]:
        values: dict[str, list[float]] = defaultdict(list)
        faults: dict[str, str] = {}
        end = time.monotonic() + self.analysis.seconds
        while True:
            found = [self._once(release, threshold, values, faults) for threshold in self.analysis.thresholds]
            left = end - time.monotonic()
            if left <= 0 or any(one.value is not None and not one.passed for one in found):
                return tuple(found)
            time.sleep(min(self.analysis.every, left))

    def _once(
        self, release: Release, threshold: Threshold, values: dict[str, list[float]], faults: dict[str, str]
    ) -> Measured:
        query = threshold.asked(release.project, release.environment, release.sha)
        try:
            values[threshold.name] += self.ask(query)
            faults.pop(threshold.name, None)
        except MonitoringError as error:  # A Prometheus that restarts fails no release.
            faults[threshold.name] = str(error)
        return judge(threshold, query, values[threshold.name], faults.get(threshold.name, ""))


def analyser_of(history: History, environment: Environment, prometheus_url: str | None) -> Analyser | None:
    """None where nothing is measured. Raises ConfigurationError where there is nobody to ask."""
    if not environment.analysis.thresholds:
        return None
    if not prometheus_url:
        raise ConfigurationError(
            f"The analysis of {environment.name} asks a Prometheus: set INFRAAUDIT_PROMETHEUS_URL, or remove it."
        )
    return Analyser(history, environment.analysis, partial(values_of, prometheus_url))
