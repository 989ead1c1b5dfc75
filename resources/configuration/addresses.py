"""How addresses of notices are written in the projects file: a URL, or a URL with when it is sent what."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from infraaudit_domain.reporting.recipients import Address

Urgency = Literal["info", "failure", "critical"]
Owner = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]{1,254}$")]
"""As a CODEOWNERS file names it, or the e-mail of a commit's author."""
_COLLECTED = {"hourly": timedelta(hours=1), "daily": timedelta(days=1)}


class AddressEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    urgency: Urgency = "info"
    digest: Literal["hourly", "daily"] | None = None
    at_once: Urgency = "critical"

    def address(self) -> Address:
        return Address(self.url, self.urgency, _COLLECTED[self.digest] if self.digest else None, self.at_once)


def _each_owner_once(given: dict[str, tuple[str | AddressEntry, ...]]) -> dict[str, tuple[str | AddressEntry, ...]]:
    folded = [owner.casefold() for owner in given]
    if doubled := sorted({owner for owner in folded if folded.count(owner) > 1}):
        raise ValueError(f"names {', '.join(doubled)} more than once (upper and lower case count as equal)")
    return given


Routes = Annotated[dict[Owner, tuple[str | AddressEntry, ...]], AfterValidator(_each_owner_once)]
"""Addresses by owner."""


def addresses(given: tuple[str | AddressEntry, ...]) -> tuple[Address, ...]:
    return tuple(one.address() if isinstance(one, AddressEntry) else Address(one) for one in given)
