"""Pictures of findings over time, drawn without a browser."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from infraaudit_domain.scans.findings import Severity

COLORS = {
    Severity.CRITICAL: "#7f1d1d",
    Severity.HIGH: "#dc2626",
    Severity.MEDIUM: "#f59e0b",
    Severity.LOW: "#60a5fa",
    Severity.INFO: "#a3a3a3",
    Severity.UNKNOWN: "#a78bfa",
}


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """The open findings of one severity at one commit; ``position`` counts commits from 0."""

    position: int
    commit: str
    severity: Severity
    open: int


def draw_trend(points: Sequence[TrendPoint], title: str) -> bytes:
    """A PNG of open findings by severity over commits."""
    import altair as alt

    rows = [
        {"commit": f"{p.position:05d} {p.commit[:7]}", "severity": p.severity.value, "open": p.open, "rank": rank}
        for p in points
        for rank, severity in enumerate(COLORS)
        if severity is p.severity
    ]
    scale = alt.Scale(domain=[s.value for s in COLORS], range=list(COLORS.values()))
    chart = (
        alt.Chart(alt.InlineData(values=rows), title=title, width=520, height=200)
        .mark_bar()
        .encode(
            x=alt.X(
                "commit:O",
                title="commit",
                axis=alt.Axis(labelExpr="slice(datum.label, 6)", labelAngle=-45, labelOverlap=True),
            ),
            y=alt.Y("open:Q", title="open findings", stack="zero"),
            color=alt.Color("severity:N", scale=scale, sort=[s.value for s in COLORS]),
            order=alt.Order("rank:Q"),
        )
    )
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(chart.to_json(), scale=1.5))


def inline(png: bytes, name: str = "trend") -> str:
    """Markdown that shows a PNG in place."""
    return f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})"
