"""Open findings over commits as an SVG that a page can hold: stacked bars by severity, deployments marked below.

Colours are classes, so that light and dark are the style sheet's. The bars are deliberately not in the tab order: the
table of commits has the same links, and sixty tab stops before it would help nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, log10

from markupsafe import Markup

from infraaudit_domain.errors import excerpt
from infraaudit_domain.scans.findings import Severity
from resources.history.queries.commit_findings import Posture

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 1080, 250, 44, 12, 52
_FLOOR = _HEIGHT - _BOTTOM
_WIDEST_BAR = 84.0
_GOOD = "deployed"


@dataclass(frozen=True, slots=True)
class Bar:
    """One commit, or (where there are too many) a run of them, named after the last one."""

    posture: Posture
    subject: str
    moment: datetime
    deployments: tuple[str, ...]
    """Outcomes of its deployments, in order."""
    link: str
    commits: int = 1


def draw(bars: Sequence[Bar]) -> Markup:
    """The picture; oldest commit first. ``bars`` is not empty."""
    top = _nice(max(1, *(bar.posture.open.total() for bar in bars)))
    step = min(_WIDEST_BAR, (_WIDTH - _LEFT) / len(bars))
    shapes = [_grid(value, top) for value in sorted({0, top // 2, top})]
    # At the right: a narrow screen begins there, with the newest.
    left = _WIDTH - step * len(bars)
    shapes += [_bar(bar, left + index * step, step, top) for index, bar in enumerate(bars)]
    shapes += _dates(bars, step, left)
    first, last = bars[0].posture.open.total(), bars[-1].posture.open.total()
    label = f"Open findings over {sum(bar.commits for bar in bars)} commits: from {first} to {last}"
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, _HEIGHT, label, Markup("").join(shapes)
    )


def _nice(most: int) -> int:
    """The smallest even round number that is not less."""
    if most <= 10:
        return most + most % 2
    unit = 10 ** int(log10(most)) // 5 or 1
    rounded = ceil(most / unit) * unit
    return int(rounded + rounded % 2)


def _y(value: int, top: int) -> float:
    return _FLOOR - value * (_FLOOR - _TOP) / top


def _grid(value: int, top: int) -> Markup:
    y = _y(value, top)
    shape = '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/><text x="{3}" y="{4:.1f}" class="end">{5:,}</text>'
    return Markup(shape).format(_LEFT, _WIDTH, y, _LEFT - 8, y + 4, value)


def _bar(bar: Bar, x: float, step: float, top: int) -> Markup:
    gap = min(4.0, step * 0.15)
    parts, below = [], 0
    for severity in Severity:
        number = bar.posture.open[severity]
        if number:
            below += number
            y = _y(below, top)
            shape = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
            parts.append(shape.format(severity.value, x + gap, y, step - 2 * gap, _y(below - number, top) - y))
    middle = x + step / 2
    if bar.deployments:
        good = bar.deployments[-1] == _GOOD
        mark = Markup('<text class="{} middle" x="{:.1f}" y="{}">{}</text>')
        parts.append(mark.format("good" if good else "bad", middle, _FLOOR + 17, "▲" if good else "✕"))
        if good:
            line = Markup('<line class="deployed" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>')
            parts.insert(0, line.format(middle, _TOP, _FLOOR))
    reach = Markup('<rect class="reach" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>')
    parts.append(reach.format(x, _TOP, step, _FLOOR - _TOP + 22))
    title = Markup("<title>{}</title>").format(_described(bar))
    if not bar.link:
        return Markup("<g>{}{}</g>").format(title, Markup("").join(parts))
    return Markup('<a href="{}" tabindex="-1">{}{}</a>').format(bar.link, title, Markup("").join(parts))


def _described(bar: Bar) -> str:
    open_now = ", ".join(f"{bar.posture.open[s]} {s.value}" for s in Severity if bar.posture.open[s]) or "none open"
    changes = ", ".join(f"{number} {name}" for name, number in bar.posture.changes.items() if number)
    several = f" and {bar.commits - 1} before it" if bar.commits > 1 else ""
    head = f"{bar.posture.sha[:7]}{several}, {bar.moment:%Y-%m-%d}: {excerpt(bar.subject)[:80]}"
    tried = ", ".join(outcome.replace("_", " ") for outcome in bar.deployments)
    return "\n".join(part for part in (head, open_now, changes, tried) if part)


def _dates(bars: Sequence[Bar], step: float, left: float) -> list[Markup]:
    """The dates of some bars, as many as are readable side by side."""
    every = max(1, ceil(84 / step))
    label = Markup('<text class="middle" x="{:.1f}" y="{}">{:%d %b %y}</text>')
    if step > 28:
        label = Markup('<text class="middle mono" x="{:.1f}" y="{}">{}</text>')
        return [
            label.format(left + (index + 0.5) * step, _FLOOR + 38, bar.posture.sha[:7])
            for index, bar in enumerate(bars)
            if step >= 50 or index % 2 == 0
        ]
    return [
        label.format(max(left + 26, left + (index + 0.5) * step), _FLOOR + 38, bars[index].moment)
        for index in range(0, len(bars) - every // 2, every)
    ]
