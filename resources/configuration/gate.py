"""Read configs/gate.yaml. Every fault is reported at once, with its line and key; a missing file is a fault."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from infraaudit_domain.errors import ConfigurationError, excerpt
from infraaudit_domain.judging.as_judged import InlineRule
from infraaudit_domain.judging.gate import BLOCK, REPORT, GatePolicy
from infraaudit_domain.kubernetes.manifest_policy import RISKS, ManifestPolicy
from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_domain.scans.findings import Severity
from resources.configuration.acceptances import AcceptedHidings
from resources.configuration.document import parse_document, read_document
from resources.machine.yaml_text import Bounds, fault_of

_BOUNDS = Bounds(depth=10, nodes=5_000, aliases=True)


def _number(given: Any) -> Any:
    if isinstance(given, bool):
        raise ValueError("is no number")
    return given


Limit = Annotated[int, Field(ge=0), BeforeValidator(_number)]
Days = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_number)]
Check = Annotated[str, Field(max_length=200, pattern=r"^[A-Z0-9_*?\[\]!-]+$")]
"""An id or a pattern of ids; written in small letters it would match no check, and nothing would say so."""


def _known(name: str) -> str:
    if name not in RISKS:
        raise ValueError(f"is none of {', '.join(sorted(RISKS))}")
    return name


def _framework(name: str) -> str:
    if name not in DEFAULT_FRAMEWORKS:
        raise ValueError(f"{name} is none of the frameworks that are scanned, such as terraform and kubernetes")
    return name


def _by_severity(word: Any) -> Any:
    """One word for every severity, or one for each that is named."""
    return dict.fromkeys(Severity, word) if isinstance(word, str) else word


def _days(given: Any) -> Any:
    if given in ("report", "block"):
        return REPORT if given == "report" else BLOCK
    if (
        isinstance(given, dict)
        and set(given) == {"grace"}
        and type(given["grace"]) in (int, float)
        and given["grace"] != math.inf
    ):
        return given["grace"]
    raise ValueError("is none of report, block and {grace: DAYS}")


class _Manifests(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kinds: frozenset[Annotated[str, Field(pattern=r"^([a-z0-9.-]+/)?[A-Z][A-Za-z0-9]*$")]] = ManifestPolicy().kinds
    pod_security: Literal["privileged", "baseline", "restricted"] = "baseline"
    volumes: frozenset[str] = ManifestPolicy().volumes
    capabilities: frozenset[str] = ManifestPolicy().capabilities
    allow: frozenset[Annotated[str, AfterValidator(_known)]] = frozenset()


class _Gate(BaseModel):
    model_config = ConfigDict(extra="forbid")
    manifests: _Manifests = _Manifests()
    open: dict[Severity, Limit]
    new: dict[Severity, Limit]
    new_in_environment: dict[Severity, Limit] = {}
    max_age_days: dict[Severity, Days] = {}
    unknown_age: Literal["block", "allow"] = "block"
    allow_partial: bool = False
    required_frameworks: tuple[Annotated[str, AfterValidator(_framework)], ...] = ()
    unskippable_checks: tuple[Check, ...] = ()
    inline_suppressions: Annotated[dict[Severity, InlineRule], BeforeValidator(_by_severity)] = {}
    accepted_hidings: AcceptedHidings = ()
    on_new_rules: Annotated[float, Field(ge=0), BeforeValidator(_days)] = REPORT


def read_gate(path: Path) -> GatePolicy:
    """The policy of the gate. Raises ConfigurationError: without a policy the gate stays closed."""
    return _policy(_read(path))


def parse_gate(text: str, name: str) -> GatePolicy:
    """The policy of a text, which may be anybody's: it has bounds. Raises ConfigurationError that names it."""
    try:
        fault = fault_of(text, _BOUNDS)
    except (yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise ConfigurationError(f"{name} cannot be read: it is no YAML: {excerpt(said, 300)}.") from error
    if fault:
        raise ConfigurationError(f"{name} cannot be read: {fault}.")
    return _policy(parse_document(Path(name), text, "gate policy").validate(_Gate, "gate policy"))


def read_manifest_policy(path: Path) -> ManifestPolicy:
    """What manifests may contain, from the same file. Raises ConfigurationError."""
    return ManifestPolicy(**dict(_read(path).manifests))


def _policy(gate: _Gate) -> GatePolicy:
    return GatePolicy(**{name: getattr(gate, name) for name in GatePolicy.__dataclass_fields__})


def _read(path: Path) -> _Gate:
    try:
        return read_document(path, "gate policy").validate(_Gate, "gate policy")
    except FileNotFoundError as error:
        raise ConfigurationError(f"There is no gate policy {path}; without one nothing is let through.") from error
