"""Read scanner/severities.csv."""

from pathlib import Path

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.scans.findings import Severity
from infraaudit_domain.scans.severity import parse_severities
from resources.configuration.document import read_text


def read_severities(path: Path) -> dict[str, Severity]:
    """The severity of each Checkov check. Raises ConfigurationError."""
    try:
        return parse_severities(read_text(path, "severities"), name=f"severities {path}")
    except FileNotFoundError as error:
        raise ConfigurationError(f"There are no severities {path}. Restore the file.") from error
