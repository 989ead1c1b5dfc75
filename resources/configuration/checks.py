"""Read what is known of checks beside their findings: configs/checks.yaml of the site, and scanner/remedies.csv of ours.

Every fault is reported at once. Without the site's file nothing is rated or explained otherwise.
"""

import csv
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.reporting.remedies import Remedies, Remedy
from infraaudit_domain.scans.findings import Severity
from resources.configuration.document import read_document, read_text

CheckId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]


class _Check(BaseModel):
    model_config = ConfigDict(extra="forbid")
    severity: Severity | None = None
    remedy: Annotated[str, Field(max_length=2000)] = ""
    link: Annotated[str, Field(pattern=r"^(https://\S+)?$", max_length=500)] = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    checks: dict[CheckId, _Check] = {}


def read_overrides(path: Path) -> dict[str, Severity]:
    """The severities that a site gives itself, by check id. Raises ConfigurationError."""
    return {check: one.severity for check, one in _read(path).items() if one.severity is not None}


def read_remedies(links: Path, own: Path) -> Remedies:
    """The remedy of every check. Raises ConfigurationError."""
    said = {check: Remedy(one.link, one.remedy.strip()) for check, one in _read(own).items() if one.link or one.remedy}
    return Remedies(_links(links, _state(links)), said)


def _read(path: Path) -> Mapping[str, _Check]:
    try:
        return read_document(path, "checks").validate(_File, "checks").checks
    except FileNotFoundError:
        return {}


def _state(path: Path) -> tuple[int, int]:
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else (0, 0)


@lru_cache(maxsize=2)
def _links(path: Path, _: tuple[int, int]) -> Mapping[str, str]:
    try:
        rows = list(csv.reader(read_text(path, "remedies").splitlines()))
    except FileNotFoundError:
        return {}
    if wrong := [number for number, row in enumerate(rows, 1) if len(row) != 2]:
        raise ConfigurationError(f"The remedies {path} are no check_id,link in line {wrong[0]}. Restore the file.")
    return {row[0]: row[1] for row in rows[1:]}
