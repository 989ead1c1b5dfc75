"""The ways back as a PNG for Dagster's metadata, drawn without a browser."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from infraaudit.pages.trend_picture import COLORS
from infraaudit_domain.delivery.least_exposure import Exposure
from infraaudit_domain.scans.findings import Severity

SHOWN = 12


def draw_least_exposure(found: Sequence[Exposure], advised: str | None, title: str) -> bytes:
    """A PNG: to the left of the axis what each commit would avoid, to the right what it would return."""
    import altair as alt
    import vl_convert

    known = [one for one in found if one.is_known][:SHOWN]
    names = [_name(one, advised) for one in known]
    rows = [bar for one, name in zip(known, names, strict=True) for bar in _bars(one, name)]
    colors = alt.Scale(domain=[severity.value for severity in COLORS], range=list(COLORS.values()))
    hours = f"{known[0].hours:g}" if known else "24"
    chart = (
        alt.Chart(alt.InlineData(values=rows), title=title, width=520, height=alt.Step(26))
        .mark_bar()
        .encode(
            x=alt.X("hours:Q", title=f"← avoided · finding-hours in {hours} h · returned →", axis=_axis(alt)),
            y=alt.Y("commit:N", title=None, sort=names, axis=alt.Axis(labelLimit=260)),
            color=alt.Color("severity:N", scale=colors, sort=[severity.value for severity in COLORS]),
            order=alt.Order("rank:Q"),
        )
    )
    return bytes(vl_convert.vegalite_to_png(chart.to_json(), scale=1.5))


def _axis(alt: Any) -> Any:
    return alt.Axis(labelExpr="format(abs(datum.value), ',')", grid=True)


def _name(one: Exposure, advised: str | None) -> str:
    return f"{one.candidate.sha[:7]}{' (advised)' if one.candidate.sha == advised else ''}"


def _bars(one: Exposure, commit: str) -> list[Mapping[str, Any]]:
    """The bars of a commit; one without length where nothing returns or leaves, so that it is shown."""
    name = {"commit": commit}
    bars: list[Mapping[str, Any]] = [name | {"severity": "info", "hours": 0, "rank": 0}]
    for side, hours in ((-1, one.avoided), (1, one.returned)):
        counts = hours or Counter[Severity]()
        bars += [
            name | {"severity": severity.value, "hours": side * counts[severity], "rank": rank}
            for rank, severity in enumerate(COLORS)
            if counts[severity]
        ]
    return bars
