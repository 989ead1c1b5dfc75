"""The pages that play the past again: their questions, as the API asks them, with the answer or what is wrong with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from infraaudit.pages.audit.exposure_picture import draw_exposures
from infraaudit.pages.audit.links import Links
from infraaudit.questions.answers import answer, no_data
from infraaudit.questions.asked import Asked, Row
from infraaudit.questions.replay.gate_replay import play, policy_of, totals
from infraaudit.questions.replay.least_exposure import exposures
from infraaudit.questions.table import asked_as
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.gate_replay import Replayed
from infraaudit_domain.scans.findings import Severity

PAGES: Mapping[str, tuple[str, ...]] = {
    "at": ("at", "at_findings", "at_suppressions", "at_gaps"),
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
        "picture": "", "names": [severity.value for severity in Severity],
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
    if page == "exposed" and not asked.text("check"):
        return {}
    tables = {name: _rows(name, asked) for name in PAGES[page]}
    picture = draw_exposures(*exposures(asked), links.commit) if page == "back" else ""
    return {"tables": tables, "picture": picture}


def _rows(name: str, asked: Asked) -> list[Row]:
    """Every row with every column, None where it has no value: a template knows no missing ones."""
    question = asked_as(name)
    return [dict.fromkeys(question.names) | row for row in answer(question, asked)[0]]


def _gate(asked: Asked) -> dict[str, Any]:
    stopped = replace(asked, given={**asked.given, "verdict": Replayed.STOPPED.value})
    rows = _rows("gate_replay", stopped)
    return {"tables": {"gate_replay": rows}, "totals": totals(play(asked, policy_of(asked)))}
