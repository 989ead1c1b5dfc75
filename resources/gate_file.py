"""Read configs/gate.yaml. Every fault is reported at once, with its key; a missing file is a fault."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infraaudit_assets.domain.errors import ConfigurationError, excerpt
from infraaudit_assets.domain.findings import Severity
from infraaudit_assets.domain.gate import GatePolicy

Limit = Annotated[int, Field(ge=0)]


class _Gate(BaseModel):
    model_config = ConfigDict(extra="forbid")
    open: dict[Severity, Limit]
    new: dict[Severity, Limit]
    new_in_environment: dict[Severity, Limit] = {}
    max_age_days: dict[Severity, Annotated[float, Field(ge=0)]] = {}
    allow_partial: bool = False


def read_gate(path: Path) -> GatePolicy:
    """The policy of the gate. Raises ConfigurationError: without a policy nothing is let through."""
    try:
        gate = _Gate.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except ValidationError as error:
        faults = [f"  {'.'.join(map(str, f['loc']))}: {excerpt(f['msg'], 200)}" for f in error.errors()]
        raise ConfigurationError(f"The gate's policy {path} is wrong; mend:\n" + "\n".join(faults)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"The gate's policy {path} cannot be read: {excerpt(str(error), 300)}") from error
    return GatePolicy(**{name: getattr(gate, name) for name in _Gate.model_fields})
