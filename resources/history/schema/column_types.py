"""Column types that mean the same in SQLite and PostgreSQL."""

import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.scans.evidence import Evidence


class UTCDateTime(sa.TypeDecorator[datetime]):
    """An aware time in UTC, also where the database stores no time zone (SQLite)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: Any) -> Callable[[Any], datetime | None] | None:
        # SQLite stores text: parsed as UTC at once, because making a time aware takes longer than parsing it.
        return _read_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _read_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(f"{value}+00:00")


class PackedEvidence(sa.TypeDecorator[Evidence]):
    """What a framework's run proves, as compressed JSON: a hundredth of what its findings take."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Evidence | None, dialect: sa.Dialect) -> bytes | None:
        if value is None:
            return None
        passed = {
            path: {resource: sorted(checks) for resource, checks in sorted(resources.items())}
            for path, resources in sorted(value.passed.items())
        }
        undecided = {path: sorted(checks) for path, checks in sorted(value.undecided.items())}
        document = {"expected": value.expected, "passed": passed, "undecided": undecided}
        return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 6)

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> Evidence | None:
        if value is None:
            return None
        document = json.loads(zlib.decompress(value))
        passed = {
            path: {resource: frozenset(checks) for resource, checks in resources.items()}
            for path, resources in document["passed"].items()
        }
        undecided = {path: frozenset(checks) for path, checks in document["undecided"].items()}
        return Evidence(document["expected"], passed, undecided)
