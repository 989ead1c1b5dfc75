"""What a release that has become healthy is measured by before it counts as deployed: expressions with limits.

Deliberately absent: asking a Prometheus, and the clock.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Template


@dataclass(frozen=True, slots=True)
class Threshold:
    """A PromQL expression, and the limits of its values. ``$project``, ``$environment`` and ``$commit`` are replaced."""

    name: str
    query: str
    least: float | None = None
    most: float | None = None

    def asked(self, project: str, environment: str, commit: str) -> str:
        """The expression for one commit; any other ``$`` of it stays."""
        return Template(self.query).safe_substitute(project=project, environment=environment, commit=commit)

    def is_outside(self, value: float) -> bool:
        return (self.most is not None and value > self.most) or (self.least is not None and value < self.least)

    def worst(self, values: Iterable[float]) -> float | None:
        """Of what an expression gave, the value that is farthest out, or nearest to its limits; NaN is none."""
        known = [value for value in values if not math.isnan(value)]
        return max(known, key=self._distance, default=None)

    def _distance(self, value: float) -> float:
        distances = ((value - self.most) if self.most is not None else -math.inf,
                     (self.least - value) if self.least is not None else -math.inf)  # fmt: skip
        return max(distances)

    @property
    def limits(self) -> str:
        parts = ((self.least, "at least"), (self.most, "at most"))
        return ", ".join(f"{word} {limit:g}" for limit, word in parts if limit is not None)


@dataclass(frozen=True, slots=True)
class Analysis:
    """How a release is measured, for how long and how often."""

    seconds: float = 0.0
    every: float = 10.0
    thresholds: tuple[Threshold, ...] = ()
    after: float = 0.0
    """Seconds before it is measured first: until then the values may be those of the release before."""

    @property
    def lasts(self) -> float:
        return self.after + self.seconds


@dataclass(frozen=True, slots=True)
class Measured:
    """The worst that was measured of one expression."""

    name: str
    query: str
    limits: str
    value: float | None
    """None where it never had a value."""
    passed: bool
    why: str = ""
    """Why there is no value, where that is known."""

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.name} had no value" + (f": {self.why}" if self.why else "")
        return f"{self.name} was {self.value:g} ({self.limits})"


def judge(threshold: Threshold, query: str, values: Sequence[float], why: str = "") -> Measured:
    """One value outside the limits fails, and so does an expression that never had one."""
    value = threshold.worst(values)
    passed = value is not None and not threshold.is_outside(value)
    if value is not None:  # One that is infinite is said in words, too: JSON has no such number.
        why = f"it was {value:g}" if math.isinf(value) else ""
    return Measured(threshold.name, query, threshold.limits, value, passed, why)
