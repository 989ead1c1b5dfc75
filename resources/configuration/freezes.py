"""The ``freeze:`` windows of an environment in configs/projects.yaml: a cron expression and a duration, or two dates.

Deliberately absent: whether one holds now (infraaudit_domain/delivery/freezes.py).
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from infraaudit_domain.delivery.freezes import Between, Freeze, Lasting

_DURATION = re.compile(r"(?:(?P<days>\d{1,3})d)?(?:(?P<hours>\d{1,4})h)?(?:(?P<minutes>\d{1,4})m)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LONGEST = timedelta(days=366)
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CronStarts:
    """The times of a cron expression in a time zone, as Debian's cron takes the days on which the clocks change."""

    expression: str
    zone: str = "UTC"

    def latest(self, now: datetime) -> datetime | None:
        """The last of them that is not after a moment."""
        # The iterator begins before the moment that it is given, which may be one of the times itself.
        following = now.astimezone(ZoneInfo(self.zone)) + timedelta(microseconds=1)
        return next(CronSim(self.expression, following, reverse=True), None)


def _cron(expression: str) -> str:
    if len(expression.split()) != 5:
        raise ValueError("is no cron expression of five fields, like '0 18 * * 5' for Fridays at 18:00")
    try:
        next(CronSim(expression, _ANY_DAY))
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"is no cron expression that ever comes: {error}") from error
    return expression


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone that this machine knows, like Europe/Berlin") from error
    return name


def _lasting(text: str) -> Lasting:
    match = _DURATION.fullmatch(text)
    parts = {name: int(number or 0) for name, number in match.groupdict().items()} if match else {}
    lasts = timedelta(**parts)
    if not timedelta() < lasts <= _LONGEST:
        raise ValueError("is no duration of up to 366 days, like 62h, 2d or 1d12h30m")
    return Lasting(parts["days"], lasts - timedelta(days=parts["days"]))


def _duration(text: str) -> str:
    _lasting(text)
    return text


def _day(given: Any) -> Any:
    """A quoted day is one, too, and no time."""
    return date.fromisoformat(given) if isinstance(given, str) and _DAY.fullmatch(given) else given


DayOrTime = Annotated[datetime | date, BeforeValidator(_day)]


class FreezeEntry(BaseModel):
    """``cron`` with ``for``, or ``from`` with ``to``; a ``to`` that is a day counts as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cron: Annotated[str, AfterValidator(_cron)] | None = None
    lasts: Annotated[str, AfterValidator(_duration)] | None = Field(None, alias="for")
    start: DayOrTime | None = Field(None, alias="from")
    stop: DayOrTime | None = Field(None, alias="to")
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    reason: Annotated[str, Field(max_length=300)] = ""

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        given = {name for name in ("cron", "lasts", "start", "stop") if getattr(self, name) is not None}
        if given not in ({"cron", "lasts"}, {"start", "stop"}):
            raise ValueError("has either cron and for, or from and to")
        if self.start is not None and self.window().end(_moment(self.start, self.zone)) is None:
            raise ValueError("ends before it begins")
        return self

    def window(self) -> Freeze | Between:
        """The domain's window."""
        if self.cron is not None and self.lasts is not None:
            return Freeze(CronStarts(self.cron, self.zone), _lasting(self.lasts), self.reason)
        assert self.start is not None and self.stop is not None  # the validator holds it
        stop = self.stop if isinstance(self.stop, datetime) else self.stop + timedelta(days=1)
        return Between(_moment(self.start, self.zone), _moment(stop, self.zone), self.reason)


def _moment(given: datetime | date, zone: str) -> datetime:
    """A day begins at midnight of the zone; a time without a zone is one of its clock."""
    at = given if isinstance(given, datetime) else datetime.combine(given, time())
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
