"""Entries by which the pipeline's configuration accepts what commits hide or leave unread, validated."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from infraaudit_domain.judging.acceptances import AcceptedGap, AcceptedHiding


def _no_number(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("must be a day, as 2027-01-31")
    return value


Text = Annotated[str, Field(min_length=1, max_length=1000)]
# A number would be seconds since 1970.
Day = Annotated[date, BeforeValidator(_no_number)]


class _Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Text
    owner: Text
    expires: Day
    since: Day | None = None


class _Hiding(_Decision):
    key: Literal["framework", "skip-framework", "check", "skip-check", "skip-path"]
    value: Text


class _Gap(_Decision):
    path: Text
    framework: Text = "*"


def _hidings(entries: tuple[_Hiding, ...]) -> Any:
    return tuple(AcceptedHiding(**entry.model_dump()) for entry in entries)


def _gaps(entries: tuple[_Gap, ...]) -> Any:
    return tuple(AcceptedGap(**entry.model_dump()) for entry in entries)


AcceptedHidings = Annotated[tuple[_Hiding, ...], AfterValidator(_hidings)]
AcceptedGaps = Annotated[tuple[_Gap, ...], AfterValidator(_gaps)]
