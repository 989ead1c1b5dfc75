"""Read configs/suppressions/<project>.yaml: what a project's owners decided to live with.

Findings that do not count, and what its commits may hide from the scanner or leave unread. Every fault is reported at
once; a missing file accepts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infraaudit_domain.judging.acceptances import AcceptedGap, AcceptedHiding
from infraaudit_domain.judging.suppressions import Suppression
from resources.configuration.acceptances import AcceptedGaps, AcceptedHidings, Day, Text
from resources.configuration.document import read_document


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the owners of a project accept."""

    suppressions: Sequence[Suppression] = ()
    hidings: Sequence[AcceptedHiding] = ()
    """What its commits may hide by their Checkov configuration."""
    gaps: Sequence[AcceptedGap] = ()
    """Files that may stay unread."""


class _Suppression(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Text
    owner: Text
    expires: Day
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8,32}$")] | None = None
    check: Text | None = None
    path: Text | None = None
    resource: Text | None = None
    since: Day | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not any((self.id, self.check, self.path, self.resource)):
            raise ValueError("say what it suppresses: id, check, path or resource")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    suppressions: list[_Suppression] = []
    accepted_hidings: AcceptedHidings = ()
    accepted_gaps: AcceptedGaps = ()


def suppressions_path(configs: Path, project: str) -> Path:
    """Where a project's suppressions are kept."""
    return configs / "suppressions" / f"{project}.yaml"


def read_suppressions(configs: Path, project: str) -> tuple[Suppression, ...]:
    """The suppressions of a project. Raises ConfigurationError: an unreadable file must not hide anything."""
    return tuple(read_accepted(configs, project).suppressions)


def read_accepted(configs: Path, project: str) -> Accepted:
    """All that is accepted of a project. Raises ConfigurationError."""
    path = suppressions_path(configs, project)
    try:
        read = read_document(path, "suppressions").validate(_File, "suppressions")
    except FileNotFoundError:
        return Accepted()
    suppressions = tuple(Suppression(**one.model_dump()) for one in read.suppressions)
    return Accepted(suppressions, read.accepted_hidings, read.accepted_gaps)  # type: ignore[arg-type]
