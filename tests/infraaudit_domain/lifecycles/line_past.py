"""What a step of a lifecycle asks of a line without merges, moved blocks or changed rules, from what is in memory."""

from dataclasses import dataclass

from infraaudit_domain.lifecycles.spans import Span


@dataclass
class LinePast:
    ended: list[Span]
    position: int

    def moves(self) -> tuple[()]:
        return ()

    def cross(self) -> None:
        return None

    def fixed(self, fingerprints: object) -> dict[str, Span]:
        return {span.finding.fingerprint: span for span in self.ended if span.ended_as == "fixed"}

    def added_files(self) -> frozenset[str]:
        return frozenset()

    def parents(self) -> list[str]:
        return ["before"] if self.position else []

    def brought(self, findings: object, event: str) -> dict[str, str]:
        raise AssertionError("a line without merges")
