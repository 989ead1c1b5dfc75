"""Read configs/suppressions/<project>.yaml. Every fault is reported at once; a missing file suppresses nothing."""

from datetime import date
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from infraaudit_domain.suppressions import Suppression
from resources.configuration.document import read_document


def _no_number(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("must be a day, as 2027-01-31")
    return value


Text = Annotated[str, Field(min_length=1, max_length=1000)]
# A number would be seconds since 1970.
Day = Annotated[date, BeforeValidator(_no_number)]


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


def suppressions_path(configs: Path, project: str) -> Path:
    """Where a project's suppressions are kept."""
    return configs / "suppressions" / f"{project}.yaml"


def read_suppressions(configs: Path, project: str) -> tuple[Suppression, ...]:
    """The suppressions of a project. Raises ConfigurationError: an unreadable file must not hide anything."""
    path = suppressions_path(configs, project)
    try:
        read = read_document(path, "suppressions").validate(_File, "suppressions")
    except FileNotFoundError:
        return ()
    return tuple(Suppression(**one.model_dump()) for one in read.suppressions)
