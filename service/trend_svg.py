"""Open findings over commits as an SVG that a page can hold: stacked bars by severity, deployments marked below.

Colours are classes, so that light and dark are the style sheet's. Every bar tells its numbers to a screen reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from infraaudit_assets.domain.errors import excerpt
from infraaudit_assets.domain.findings import Severity

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 960, 240, 40, 34


@dataclass(frozen=True, slots=True)
class Bar:
    """One scanned commit."""

    sha: str
    subject: str
    counts: Mapping[Severity, int]
    deployment: str | None
    link: str


def draw(bars: Sequence[Bar]) -> Markup:
    """The picture; oldest commit first."""
    if not bars:
        return Markup("<p>No scanned commit yet.</p>")
    top = max(1, max(sum(bar.counts.values()) for bar in bars))
    step = (_WIDTH - _LEFT) / max(len(bars), 12)
    scale = (_HEIGHT - _BOTTOM - 10) / top
    shapes = [_grid(value, _HEIGHT - _BOTTOM - value * scale) for value in sorted({0, top // 2, top})]
    shapes += [_bar(bar, _LEFT + place * step, step, scale) for place, bar in enumerate(bars)]
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="Open findings by severity over {} commits">{}</svg>'
    ).format(_WIDTH, _HEIGHT, len(bars), Markup("").join(shapes))


def _grid(value: int, y: float) -> Markup:
    return Markup(
        '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/><text x="{3}" y="{4:.1f}" text-anchor="end">{5}</text>'
    ).format(_LEFT, _WIDTH, y, _LEFT - 6, y + 4, value)


def _bar(bar: Bar, x: float, step: float, scale: float) -> Markup:
    y = float(_HEIGHT - _BOTTOM)
    parts: list[Markup] = []
    for severity in reversed(Severity):
        height = bar.counts.get(severity, 0) * scale
        y -= height
        parts.append(Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            severity.value, x + step * 0.1, y, step * 0.8, height))  # fmt: skip
    if bar.deployment:
        good = bar.deployment == "deployed"
        mark = Markup('<text class="{}" x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
        parts.append(mark.format("good" if good else "bad", x + step / 2, _HEIGHT - 18, "▲" if good else "✕"))
    if step >= 46:
        label = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
        parts.append(label.format(x + step / 2, _HEIGHT - 4, bar.sha[:7]))
    numbers = ", ".join(f"{count} {severity.value}" for severity, count in bar.counts.items() if count) or "none open"
    deployment = f"; {bar.deployment}" if bar.deployment else ""
    title = Markup("<title>{}</title>").format(f"{bar.sha[:7]} {excerpt(bar.subject)[:80]}: {numbers}{deployment}")
    return Markup('<a href="{}">{}{}</a>').format(escape(bar.link), title, Markup("").join(parts))
