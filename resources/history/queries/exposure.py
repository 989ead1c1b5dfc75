"""Exposure in an environment: each finding from its introduction until its fix was live, and each live commit.

Hours count while a commit with the finding was live. Deliberately absent: suppressions of the configuration (the
findings that they hide are in production nevertheless). What a commit hides itself, by a comment or its Checkov file, is
not exposed: it is asked for by its status.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from infraaudit_domain.judging.ages import certainty
from infraaudit_domain.reporting.columns import EXPOSURE_COLUMNS
from infraaudit_domain.scans.findings import FindingStatus
from resources.history import schema
from resources.history.queries.beside_the_line import first_with, open_findings
from resources.history.queries.frames import columns_of, frame, line_times
from resources.history.queries.live_commits import Spell, spells
from resources.history.stored_line import StoredLine

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


_NOWHERE = -1
"""The position of an introduction beside the line; the last of every lookup array, which is None."""


def exposure(
    line: StoredLine, environment: str, now: datetime, status: FindingStatus = FindingStatus.OPEN
) -> "pd.DataFrame":
    """One row for each finding that was ever live and open (or of another status), the longest exposed first.

    ``live_to`` is when the last commit with it left, None where it is live now; ``brought_back_by`` is the newest
    commit with the finding that a rollback deployed in place of one without it.
    """
    import pandas as pd

    past, beside = _placed(line, spells(line, environment))
    spans = _spans_of(line, beside, status)
    if not past or not len(spans["life"]):
        return frame(EXPOSURE_COLUMNS, [])
    spans |= _reach(past, spans["start"], spans["end"], now)
    return pd.DataFrame(_columns(line, past, spans, _lives(past, spans)), columns=list(EXPOSURE_COLUMNS))


def _placed(line: StoredLine, past: Sequence[Spell]) -> tuple[list[Spell], dict[int, str]]:
    """The spells, those beside the line each at a position of its own before it; and their commits by position.

    Before it, so that a fix on the line counts as later than what was live beside it.
    """
    beside: dict[int, str] = {}
    placed = []
    for spell in past:
        if spell.position < 0:
            spell = replace(spell, position=-2 - len(beside))
            beside[spell.position] = spell.sha
        placed.append(spell)
    return placed, beside


def _spans_of(line: StoredLine, beside: Mapping[int, str], status: FindingStatus) -> "dict[str, np.ndarray]":
    """Spans of findings of a status in the order of commits, column by column; one that has not ended ends after the line.

    The findings of commits beside the line are spans of one position, of the life that they have on the line if any.
    """
    import numpy as np
    import pandas as pd

    table = schema.spans.c
    query = sa.select(
        table.life, table.fingerprint, table.severity, table.check_id, table.file_path, table.resource,
        table.introduced_position.label("introduced"), table.start_position.label("start"),
        sa.func.coalesce(table.end_position, len(line.shas)).label("end"),
        sa.func.coalesce(table.ended_as, "").label("fixed"), table.introduced_after, table.introduced_sha,
        table.end_after, table.end_sha,
    ).where(line.is_in(schema.spans), table.status == status.value)  # fmt: skip
    names = query.selected_columns.keys()
    columns = dict(zip(names, columns_of(line.history, query.order_by(table.start_position)), strict=True))
    rows = list(_spans_beside(line, beside, columns, status)) if beside else []
    for name, values in columns.items():
        values[:0] = [row[name] for row in rows]
    spans = {
        name: np.array(values, int if name in ("introduced", "start", "end") else object)
        for name, values in columns.items()
    }
    return spans | {"life": pd.factorize(spans["life"])[0], "fixed": spans["fixed"] == "fixed"}


def _spans_beside(
    line: StoredLine, beside: Mapping[int, str], columns: Mapping[str, Sequence[Any]], status: FindingStatus
) -> Iterator[dict[str, Any]]:
    names = ("life", "introduced", "introduced_after", "introduced_sha")
    on_line = zip(columns["fingerprint"], zip(*(columns[name] for name in names), strict=True), strict=True)
    known = {mark: dict(zip(names, values, strict=True)) for mark, values in on_line}
    found = open_findings(line, set(beside.values()), status)
    for position, sha in sorted(beside.items()):
        for mark, finding in found[sha].items():
            yield {
                "life": f"beside {mark}", "introduced": _NOWHERE, "introduced_after": None, "introduced_sha": None,
                "start": position, "end": position + 1, "fixed": "", "end_after": None, "end_sha": None,
            } | known.get(mark, {}) | {name: value for name, value in finding.items() if name != "sha"}  # fmt: skip


def _reach(past: Sequence[Spell], start: "np.ndarray", end: "np.ndarray", now: datetime) -> "dict[str, np.ndarray]":
    """Whether a commit of each span was live; the first and the last spell of one, and the seconds of all."""
    import numpy as np

    positions = np.array([spell.position for spell in past])
    order = np.argsort(positions, kind="stable")
    seconds = np.cumsum([0.0, *(past[index].seconds(now) for index in order)])
    low, high = np.searchsorted(positions[order], start), np.searchsorted(positions[order], end)
    # Pairs of indices: the range between the two of a pair is reduced; the appended last element is in no range.
    pairs, indices = np.column_stack([low, high]).ravel(), np.append(order, 0)
    return {
        "live": low < high,
        "first": np.minimum.reduceat(indices, pairs)[::2],
        "last": np.maximum.reduceat(indices, pairs)[::2],
        "seconds": seconds[high] - seconds[low],
    }


def _lives(past: Sequence[Spell], spans: "dict[str, np.ndarray]") -> "dict[str, np.ndarray]":
    """Each lifecycle that was ever live, the longest exposed first: the span that ended it, its spells and hours.

    Where a finding was fixed live and reopened only in commits that were never live, the fix stays the end.
    """
    import numpy as np

    life, live = spans["life"], np.flatnonzero(spans["live"])
    number = life.max() + 1
    seen, ended = np.full(number, -1), np.full(number, -1)
    # Where a lifecycle occurs twice, the last assignment wins: its last span, or its first where the order is reversed.
    seen[life[live]] = live
    after = np.flatnonzero((seen[life] >= 0) & (np.arange(len(life)) >= seen[life]))
    ended[life[after]] = after
    fixes = after[spans["fixed"][after]][::-1]
    ended[life[fixes]] = fixes
    first, last = np.full(number, len(past)), np.full(number, -1)
    np.minimum.at(first, life[live], spans["first"][live])
    np.maximum.at(last, life[live], spans["last"][live])
    seconds = np.bincount(life[live], spans["seconds"][live], number)
    # Findings that came and went with the same deployments have the same hours, and rounding is slow.
    lengths, length = np.unique(seconds, return_inverse=True)
    hours = np.array([round(second / 3600, 2) for second in lengths.tolist()])[length]
    order = np.lexsort((spans["fingerprint"][ended].astype(str), -hours))
    order = order[ended[order] >= 0]
    lives = {"ended": ended, "first": first, "last": last, "hours": hours}
    return {name: values[order] for name, values in (lives | {"brought": _brought_back(past, spans)}).items()}


def _brought_back(past: Sequence[Spell], spans: "dict[str, np.ndarray]") -> "np.ndarray":
    """For each lifecycle the newest spell that a rollback began and that has it, where the spell before has not; or
    -1."""
    import numpy as np

    brought = np.full(spans["life"].max() + 1, -1)
    life, start, end = (spans[name][spans["live"]] for name in ("life", "start", "end"))
    for index, (before, after) in enumerate(pairwise(past), 1):
        if 0 <= after.position < before.position:
            there, then = (life[(start <= spell.position) & (spell.position < end)] for spell in (after, before))
            brought[np.setdiff1d(there, then)] = index
    return brought


def _columns(
    line: StoredLine, past: Sequence[Spell], spans: "dict[str, np.ndarray]", lives: "dict[str, np.ndarray]"
) -> "dict[str, np.ndarray]":
    """The columns of the answer. Each lookup array ends with None, so index -1 means no value."""
    import numpy as np

    times = line_times(line)
    shas = np.array([*line.shas, None], object)
    moments = np.array([times[index].isoformat() if index in times else None for index in range(len(shas))], object)
    starts = np.array([spell.start.isoformat() for spell in past], object)
    ends = np.array([spell.end.isoformat() if spell.end else None for spell in past], object)
    brought = np.array([*(spell.sha for spell in past), None], object)
    ended, introduced = lives["ended"], spans["introduced"][lives["ended"]]
    fixed = np.where(spans["fixed"][ended], spans["end"][ended], -1)
    nothing = np.full(len(fixed), None, object)
    began = [
        certainty(*known)
        for known in zip(spans["introduced_after"][ended], spans["introduced_sha"][ended], strict=True)
    ]
    went = [certainty(*known) for known in zip(spans["end_after"][ended], spans["end_sha"][ended], strict=True)]
    first = first_with(line, set(spans["fingerprint"][ended][introduced == _NOWHERE]))
    named = _named(spans["introduced_sha"][ended], shas[introduced])
    born = moments[introduced]
    for index in np.flatnonzero(introduced == _NOWHERE).tolist():
        if (known := first.get(spans["fingerprint"][ended][index])) is not None:
            named[index], born[index], began[index] = known.sha, known.at.isoformat(), known.certainty
    return {"id": spans["fingerprint"][ended], "hours_exposed": lives["hours"]} | {
        "introduced_by": named, "introduced_certainty": np.array(began, object), "introduced_at": born,
        "fixed_by": np.where(fixed < 0, nothing, _named(spans["end_sha"][ended], shas[fixed])),
        "fixed_certainty": np.where(fixed < 0, nothing, np.array(went, object)), "fixed_at": moments[fixed],
        "live_from": starts[lives["first"]], "live_to": ends[lives["last"]],
        "live_now": np.array([spell.end is None for spell in past])[lives["last"]],
        "brought_back_by": brought[lives["brought"]],
    } | {name: spans[name][ended] for name in ("severity", "check_id", "file_path", "resource")}  # fmt: skip


def _named(known: "np.ndarray", otherwise: "np.ndarray") -> "np.ndarray":
    """The commit whose doing it was, or the first that is known to be so."""
    import numpy as np
    import pandas as pd

    return np.where(pd.isna(known), otherwise, known)
