"""Read configs/suppressions/<project>.yaml. Every fault is reported at once; a missing file suppresses nothing."""

from datetime import date
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infraaudit_domain.errors import ConfigurationError, excerpt
from infraaudit_domain.suppressions import Suppression

Text = Annotated[str, Field(min_length=1, max_length=1000)]


class _Suppression(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Text
    owner: Text
    expires: date
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8,32}$")] | None = None
    check: Text | None = None
    path: Text | None = None
    resource: Text | None = None
    since: date | None = None

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
        read = _File.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        faults = [f"  {'.'.join(map(str, f['loc']))}: {excerpt(f['msg'], 200)}" for f in error.errors()]
        raise ConfigurationError(f"Invalid suppressions {path}:\n" + "\n".join(faults)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"The suppressions {path} cannot be read: {excerpt(str(error), 300)}") from error
    return tuple(Suppression(**one.model_dump()) for one in read.suppressions)
