"""A picture of a page as a PNG that needs no style sheet: in light colours, with a title and a legend.

Deliberately absent: the pictures (picture.py, exposure_picture.py).
"""

import base64
import re
from functools import cache

from markupsafe import Markup

from infraaudit.pages.audit.rendering import STYLE
from infraaudit_domain.scans.findings import Severity

_SIZE = re.compile(r'viewBox="0 0 (\d+) (\d+)"')
_MARGIN, _HEAD = 16, 56
_FRAME = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    '<style>{style}</style><rect class="card" width="{width}" height="{height}"/>'
    '<text class="title" x="{margin}" y="24">{title}</text>{legend}'
    '<svg x="{margin}" y="{head}" width="{inner_width}" height="{inner_height}" {picture}</svg>'
)


def png_of(picture: Markup, title: str) -> bytes:
    """The PNG of an SVG that picture.py or exposure_picture.py drew."""
    import vl_convert

    size = _SIZE.search(picture)
    assert size, "A picture has its size."
    width, height = int(size[1]), int(size[2])
    framed = _FRAME.format(
        width=width + 2 * _MARGIN,
        height=height + _HEAD + _MARGIN,
        inner_width=width,
        inner_height=height,
        margin=_MARGIN,
        head=_HEAD,
        style=Markup(_light_style()),
        title=title,
        legend=_legend(),
        picture=Markup(picture.removeprefix("<svg ")),
    )
    return bytes(vl_convert.svg_to_png(framed))


def inline(png: bytes, name: str) -> str:
    """Markdown that shows a PNG in place."""
    return f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})"


def _legend() -> Markup:
    entry = Markup('<rect class="{0}" x="{1}" y="35" width="10" height="10"/><text x="{2}" y="44">{0}</text>')
    places = (_MARGIN + 84 * number for number in range(len(Severity)))
    return Markup("").join(
        entry.format(severity.value, x, x + 15) for severity, x in zip(Severity, places, strict=True)
    )


@cache
def _light_style() -> str:
    """The rules for pictures of the page's style sheet, with its light colours in place of their names."""
    colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", STYLE.partition("}")[0]))
    rules = "\n".join(line for line in STYLE.splitlines() if line.startswith("svg ") and ":hover" not in line)
    rules = re.sub(r"var\(--([a-z-]+)\)", lambda name: colors[name[1]], rules)
    base = (
        f"text {{ font: 11.5px sans-serif }} .title {{ font: bold 15px sans-serif }} .card {{ fill: {colors['card']} }}"
    )
    return f"{base}\n{rules}\nsvg .title {{ fill: {colors['ink']} }} .reach {{ fill: none }}"
