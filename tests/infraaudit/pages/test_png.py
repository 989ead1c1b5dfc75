"""Pictures of pages as PNGs, without a browser: every bar has its colour, and nothing of a page's style sheet is missing."""

from collections import Counter
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from infraaudit.pages.audit.picture import Bar, draw
from infraaudit.pages.audit.png import png_of
from infraaudit_domain.scans.findings import Severity
from resources.history.queries.commit_findings import Posture

LIGHT = {"critical": "#881337", "high": "#d6322b", "medium": "#d97706", "low": "#3b82d6", "info": "#94a0b3",
         "unknown": "#7c5cd6"}  # fmt: skip


def bars(severity: Severity) -> list[Bar]:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    return [Bar(Posture(f"{n:040x}", Counter({severity: 40})), "<b>", moment, ("deployed",), "") for n in range(4)]


def pixels(png: bytes) -> Counter[Any]:
    """How often each colour occurs in a PNG."""
    with Image.open(BytesIO(png)) as image:
        found = image.convert("RGB").getcolors(image.width * image.height)
    assert found
    return Counter({color: number for number, color in found})


@pytest.mark.parametrize("severity", Severity)
def test_a_bar_has_the_colour_of_the_page(severity: Severity) -> None:
    found = pixels(png_of(draw(bars(severity)), "a <script> & more"))
    of_bars = {name: found[tuple(bytes.fromhex(color[1:]))] for name, color in LIGHT.items()}
    assert max(of_bars, key=lambda name: of_bars[name]) == severity.value and of_bars[severity.value] > 20_000
    assert all(of_bars.values()), "the legend has every colour"
    assert found.most_common(1)[0][0] == (255, 255, 255)
