"""Ways back as an SVG that a page can hold: to the left what each would avoid, to the right what it would return.

Colours are classes, so that light and dark are the style sheet's. Deliberately absent: candidates of which nothing is known.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from markupsafe import Markup

from infraaudit_domain.delivery.least_exposure import Exposure
from infraaudit_domain.scans.findings import Severity

SHOWN = 12
_WIDTH, _LABELS, _ROW, _TOP, _NUMBERS = 1080, 190, 30, 30, 70
_MIDDLE = _LABELS + (_WIDTH - _LABELS) / 2


def draw_exposures(found: Sequence[Exposure], advised: str | None, link: Callable[[str], str]) -> Markup:
    """The picture; what exposes least is on top. Empty where nothing is known."""
    known = [one for one in found if one.returned is not None and one.avoided is not None][:SHOWN]
    if not known:
        return Markup("")
    most = max(1.0, *(max((one.returned or Counter()).total(), (one.avoided or Counter()).total()) for one in known))
    scale = ((_WIDTH - _LABELS) / 2 - _NUMBERS) / most
    height = _TOP + _ROW * len(known) + 6
    shapes = [_heads(known[0].hours), _axis(height)]
    shapes += [_row(one, _TOP + number * _ROW, scale, advised, link) for number, one in enumerate(known)]
    label = f"Finding-hours that going back to {len(known)} commits would avoid and return"
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, height, label, Markup("").join(shapes)
    )


def _heads(hours: float) -> Markup:
    text = Markup('<text class="{}" x="{:.0f}" y="16">{}</text>')
    avoided = text.format("end", _MIDDLE - 12, f"← finding-hours avoided in {hours:g} h")
    return avoided + Markup('<text x="{:.0f}" y="16">{}</text>').format(_MIDDLE + 12, f"returned in {hours:g} h →")


def _axis(height: int) -> Markup:
    return Markup('<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(_MIDDLE, 4, height)


def _row(one: Exposure, y: int, scale: float, advised: str | None, link: Callable[[str], str]) -> Markup:
    is_advised = one.candidate.sha == advised
    name = f"{one.candidate.sha[:7]}{' advised' if is_advised else ''}"
    shapes = Markup('<text class="{}" x="0" y="{}">{}</text>').format(
        "good" if is_advised else "bad" if one.candidate.against else "", y + 18, name
    )
    shapes += _bars(one.avoided or Counter(), y, scale, -1) + _bars(one.returned or Counter(), y, scale, 1)
    title = Markup("<title>{}</title>").format(_described(one))
    target = link(one.candidate.sha)
    return Markup('<a href="{}" tabindex="-1">{}{}</a>').format(target, title, shapes) if target else title + shapes


def _bars(hours: Counter[Severity], y: int, scale: float, side: int) -> Markup:
    shapes, reach = Markup(""), 0.0
    for severity in Severity:
        if width := hours[severity] * scale:
            x = _MIDDLE + reach if side > 0 else _MIDDLE - reach - width
            shape = Markup('<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>')
            shapes += shape.format(severity.value, x, y + 5, width, _ROW - 12)
            reach += width
    number = Markup('<text class="{}" x="{:.1f}" y="{}">{:,.0f}</text>')
    return shapes + number.format("end" if side < 0 else "", _MIDDLE + side * (reach + 6), y + 18, hours.total())


def _described(one: Exposure) -> str:
    def listed(hours: Counter[Severity] | None) -> str:
        return ", ".join(f"{number:,.0f} {name}" for name, number in (hours or {}).items() if number) or "none"

    lines = (f"{one.candidate.sha[:12]}", f"avoided: {listed(one.avoided)}", f"returned: {listed(one.returned)}")
    return "\n".join((*lines, *one.candidate.against))
