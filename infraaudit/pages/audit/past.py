"""The pages that play the past again: their questions, as the API asks them, with the answer or what is wrong with it."""

from collections.abc import Iterable, Mapping
from typing import Any

from infraaudit.pages.audit.exposure_picture import draw_exposures
from infraaudit.pages.audit.links import Links
from infraaudit.questions.answers import answer, no_data
from infraaudit.questions.asked import Asked, Row
from infraaudit.questions.replay.gate_replay import play, policy_of, replayed_rows, totals
from infraaudit.questions.replay.least_exposure import exposure_rows, exposures
from infraaudit.questions.table import asked_as
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.gate_replay import Replayed

PAGES: Mapping[str, tuple[str, ...]] = {
    "at": ("at", "at_findings"),
    "gate": ("gate_replay",),
    "exposed": ("exposed", "exposed_commits"),
    "back": ("least_exposure",),
}
"""The questions of each page, by its name."""
SHOWN = 100
"""Rows of a table; the whole of it is behind its links."""
TITLES = {
    "at": "At a moment", "gate": "Under another gate", "exposed": "Were we exposed?", "back": "The way back",
}  # fmt: skip


def past_of(page: str, asked: Asked, links: Links, fault: str = "") -> dict[str, Any]:
    """One of the pages; ``fault`` is what is wrong with the values that it was asked with."""
    values: dict[str, Any] = {
        "project": asked.project, "links": links, "page": page, "titles": TITLES, "given": asked.given, "shown": SHOWN,
        "environments": asked.environments(), "fault": fault, "missing": "", "totals": None,
        "tables": dict.fromkeys(name for names in PAGES.values() for name in names),
        "picture": "",
    }  # fmt: skip
    if fault:
        return values
    values["missing"] = no_data(asked_as(PAGES[page][0]), asked)
    try:
        found = {} if values["missing"] else _answered(page, asked, links)
        return values | found | {"tables": values["tables"] | found.get("tables", {})}
    except (ConfigurationError, ValueError) as error:
        return values | {"fault": str(error)}


def _answered(page: str, asked: Asked, links: Links) -> dict[str, Any]:
    if page == "gate":
        return _gate(asked)
    if page == "back":
        return _back(asked, links)
    if page == "exposed" and not asked.text("check"):
        return {}
    return {"tables": {name: _whole(name, answer(asked_as(name), asked)[0]) for name in PAGES[page]}}


def _whole(name: str, rows: Iterable[Row]) -> list[Row]:
    """Every row with every column, None where it has no value: a template knows no missing ones."""
    names = asked_as(name).names
    return [dict.fromkeys(names) | row for row in rows]


def _gate(asked: Asked) -> dict[str, Any]:
    played = play(asked, policy_of(asked))
    rows = replayed_rows(asked, played, Replayed.STOPPED)
    return {"tables": {"gate_replay": _whole("gate_replay", rows)}, "totals": totals(played)}


def _back(asked: Asked, links: Links) -> dict[str, Any]:
    found, advised = exposures(asked)
    rows = _whole("least_exposure", exposure_rows(asked, found, advised))
    return {"tables": {"least_exposure": rows}, "picture": draw_exposures(found, advised, links.commit)}
