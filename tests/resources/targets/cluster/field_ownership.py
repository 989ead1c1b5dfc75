"""Server-side apply as far as releases depend on it: who manages which field, and what goes when nobody does any more.

A list is one value, which is coarser than the real server's merge by keys.
"""

import copy
from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
Way = tuple[str, ...]
_OF_THE_SERVER = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}
)


class FieldConflictError(Exception):
    """Another manager has a field with another value."""


def applied(live: Document, body: Document, manager: str, *, force: bool) -> Document:
    """What is there once ``manager`` has applied a body."""
    found, wanted = copy.deepcopy(live), dict(leaves(body))
    owned = owners(found)
    for way, value in wanted.items():
        holders = [who for who, ways in owned.items() if who[0] != manager and way in ways]
        if holders and at(found, way) != value:
            if not force:
                raise FieldConflictError(f"{'.'.join(way)} is of {holders[0][0]}")
            for who in holders:
                owned[who].discard(way)
    mine = (manager, "Apply")
    for way in owned.get(mine, set()) - set(wanted):
        if not any(way in ways for who, ways in owned.items() if who != mine):
            _take_out(found, way)
    for way, value in wanted.items():
        _put_in(found, way, value)
    _note(found, owned | {mine: set(wanted)})
    return found


def updated(before: Document, now: Document) -> Document:
    """A change by hand: what differs is the updater's alone."""
    old, new = dict(leaves(before)), dict(leaves(now))
    changed = {way for way, value in new.items() if way not in old or old[way] != value}
    owned = {who: (ways & set(new)) - changed for who, ways in owners(now).items()}
    by_hand = ("by-hand", "Update")
    _note(now, owned | {by_hand: owned.get(by_hand, set()) | changed})
    return now


def leaves(value: Any, way: Way = ()) -> Iterator[tuple[Way, Any]]:
    """The values of a document by their way, without what the server sets."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            skipped = (
                name in ("apiVersion", "kind", "status") if not way else way == ("metadata",) and name in _OF_THE_SERVER
            )
            if not skipped:
                yield from leaves(inner, (*way, name))
    elif way:
        yield way, value


def at(document: Any, way: Way) -> Any:
    for name in way:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def owners(document: Document) -> dict[tuple[str, str], set[Way]]:
    return {(entry["manager"], entry["operation"]): set(_ways(entry["fieldsV1"]))
            for entry in document["metadata"].get("managedFields") or []}  # fmt: skip


def _ways(fields: Document, way: Way = ()) -> Iterator[Way]:
    for name, inner in fields.items():
        yield from _ways(inner, (*way, name[2:])) if inner else [(*way, name[2:])]


def _note(document: Document, owned: dict[tuple[str, str], set[Way]]) -> None:
    entries = []
    for (manager, operation), ways in sorted(owned.items()):
        fields: Document = {}
        for way in sorted(ways):
            place = fields
            for name in way:
                place = place.setdefault(f"f:{name}", {})
        if ways:
            entries.append({"manager": manager, "operation": operation, "apiVersion": document["apiVersion"],
                            "fieldsType": "FieldsV1", "fieldsV1": fields})  # fmt: skip
    document["metadata"]["managedFields"] = entries


def _put_in(document: Document, way: Way, value: Any) -> None:
    for name in way[:-1]:
        inner = document.get(name)
        document[name] = inner if isinstance(inner, dict) else {}
        document = document[name]
    document[way[-1]] = copy.deepcopy(value)


def _take_out(document: Document, way: Way) -> None:
    inner = at(document, way[:-1])
    if isinstance(inner, dict):
        inner.pop(way[-1], None)
        if not inner and len(way) > 1:
            _take_out(document, way[:-1])
