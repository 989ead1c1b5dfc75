"""Read scanner/severities.csv: a severity for each Checkov check, because Checkov itself has none without a key."""

import csv
from pathlib import Path

from infraaudit_assets.domain.errors import ConfigurationError, excerpt
from infraaudit_assets.domain.findings import Severity


def read_severities(path: Path) -> dict[str, Severity]:
    """Severity by check id. Raises ConfigurationError."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return {row["check_id"]: Severity(row["severity"]) for row in csv.DictReader(stream)}
    except (OSError, KeyError, ValueError) as error:
        raise ConfigurationError(
            f"The severities {path} cannot be read ({excerpt(str(error), 200)}); it has the columns check_id,severity."
        ) from error
