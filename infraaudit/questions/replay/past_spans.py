"""The findings that stood at each of many commits of a line, from one read of its spans."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from heapq import heappop, heappush
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.scans.evidence import is_unread
from infraaudit_domain.scans.findings import Finding, FindingStatus, Severity
from infraaudit_domain.scans.renderings import rendered_by
from resources.history import schema
from resources.history.queries.frames import columns_of
from resources.history.stored_line import StoredLine

_FINDING = (
    "framework", "check_id", "check_name", "file_path", "resource", "line_start", "line_end", "ordinal", "status",
    "suppression_reason", "suppressed_by", "severity",
)  # fmt: skip
_PLACE = (
    "life", "fingerprint", "start_position", "end_position", "end_after", "start_cause", "opened_position",
    "opened_after", "opened_sha",
)  # fmt: skip


class PastSpans:
    """The spans of a line that stand at some positions of it, column by column; each is known by its index."""

    def __init__(self, line: StoredLine, positions: Collection[int]) -> None:
        self._wanted = sorted(set(positions))
        first, last = (self._wanted[0], self._wanted[-1]) if self._wanted else (0, -1)
        table = schema.spans
        reach = (table.c.start_position <= last) & (table.c.end_position.is_(None) | (table.c.end_position > first))
        query = sa.select(*(table.c[name] for name in (*_PLACE, *_FINDING))).where(line.is_in(table), reach)
        columns = columns_of(line.history, query.order_by(table.c.start_position))
        self.columns: Mapping[str, Sequence[Any]] = dict(zip((*_PLACE, *_FINDING), columns, strict=True))
        self._findings: dict[int, Finding] = {}

    @cached_property
    def at(self) -> Mapping[int, Sequence[int]]:
        """By position, the spans that stand there."""
        starts, ends = self.columns["start_position"], self.columns["end_position"]
        active: dict[int, None] = {}
        ending: list[tuple[int, int]] = []
        found: dict[int, Sequence[int]] = {}
        following = 0
        for position in self._wanted:
            while following < len(starts) and starts[following] <= position:
                active[following] = None
                if ends[following] is not None:
                    heappush(ending, (ends[following], following))
                following += 1
            while ending and ending[0][0] <= position:
                active.pop(heappop(ending)[1], None)
            found[position] = tuple(active)
        return found

    def finding(self, span: int) -> Finding:
        """The finding of a span, as the scan has it where the span began."""
        if span not in self._findings:
            fields = {name: self.columns[name][span] for name in _FINDING}
            kept = fields | {"status": FindingStatus(fields["status"]), "severity": Severity(fields["severity"])}
            self._findings[span] = Finding(**kept)
        return self._findings[span]

    def is_read(self, span: int, position: int, gaps: Mapping[str, Collection[str]]) -> bool:
        """Whether the scan at a position read where the finding is; ``gaps`` are its unread files by framework.

        A span says that of its end alone: a gap that a later scan closed is in the scan of then.
        """
        last = self.columns["end_after"][span]
        if last is not None and last < position:
            return False
        if not gaps or self.columns["start_position"][span] == position:
            return True
        finding = self.finding(span)
        where = rendered_by(finding.resource) or finding.file_path
        return not is_unread(where, gaps.get(finding.framework, ()))

    @cached_property
    def ranks(self) -> Sequence[int]:
        """By span, its place in the order in which a scan lists its findings."""
        columns = [self.columns[name] for name in ("framework", "file_path", "line_start", "check_id", "fingerprint")]
        keys = list(zip(*columns, strict=True))
        ranks = [0] * len(keys)
        for rank, span in enumerate(sorted(range(len(keys)), key=keys.__getitem__)):
            ranks[span] = rank
        return ranks
