"""Read scanner/severities.csv."""

from pathlib import Path

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.findings import Severity
from infraaudit_domain.severity import parse_severities


def read_severities(path: Path) -> dict[str, Severity]:
    """The severity of each Checkov check. Raises ConfigurationError."""
    try:
        return parse_severities(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The severities {path} cannot be read: {error}. Restore the file.") from error
