"""Read configs/suppressions/<project>.yaml: what a project's owners decided to live with.

Findings that do not count, and what its commits may hide from the scanner or leave unread. Every fault is reported at
once; a missing file accepts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.acceptances import AcceptedGap, AcceptedHiding
from infraaudit_domain.judging.suppressions import Kind, Suppression
from infraaudit_domain.judging.triage import LONGEST_NAME, LONGEST_REASON
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


@dataclass(frozen=True, slots=True)
class Written:
    """A decision on one finding as a file has it, for triage to take in; a suppression, or who sees to a finding."""

    suppression: Suppression | None
    id: str
    owner: str
    reason: str
    by: str
    at: datetime | None
    commit: str
    """In which it was seen; may be empty."""


def _moment(value: Any) -> Any:
    if not isinstance(value, datetime | str):
        raise ValueError("must be a time, as 2027-01-31T14:03:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_in_utc)]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,32}$")]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{7,64})?$")]


class _Suppression(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
    owner: Text
    expires: Day
    id: Id | None = None
    check: Text | None = None
    path: Text | None = None
    resource: Text | None = None
    since: Day | None = None
    kind: Kind = Kind.ACCEPT
    by: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    at: Moment | None = None
    commit: Commit = ""

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not any((self.id, self.check, self.path, self.resource)):
            raise ValueError("say what it suppresses: id, check, path or resource")
        return self


class _Assignment(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: Id
    owner: Text
    reason: Annotated[str, Field(max_length=LONGEST_REASON)] = ""
    by: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    at: Moment | None = None
    commit: Commit = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    assignments: list[_Assignment] = []
    """Of triage; they hide nothing."""
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
    suppressions = tuple(map(_suppression, read.suppressions))
    return Accepted(suppressions, read.accepted_hidings, read.accepted_gaps)  # type: ignore[arg-type]


def read_written(path: Path) -> tuple[list[Written], int]:
    """The decisions on single findings in a file, and how many entries have patterns. Raises ConfigurationError."""
    try:
        read = read_document(path, "suppressions").validate(_File, "suppressions")
    except FileNotFoundError as error:
        raise ConfigurationError(f"There is no file {path}; name one that has suppressions.") from error
    single = [one for one in read.suppressions if one.id and not (one.check or one.path or one.resource)]
    found = [
        Written(_suppression(one), one.id or "", one.owner, one.reason, one.by, one.at, one.commit) for one in single
    ]
    found += [Written(None, **one.model_dump()) for one in read.assignments]
    return found, len(read.suppressions) - len(single)


def _suppression(entry: _Suppression) -> Suppression:
    return Suppression(**entry.model_dump(exclude={"commit"}))
