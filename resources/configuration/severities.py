"""Read scanner/severities.csv."""

from pathlib import Path

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.scans.findings import Severity
from infraaudit_domain.scans.severity import parse_severities
from resources.configuration.checks import read_overrides
from resources.configuration.document import read_text


def read_severities(path: Path, checks: Path | None = None) -> dict[str, Severity]:
    """The severity of each Checkov check; what the site's own file of checks says counts more. Raises ConfigurationError."""
    overrides = {check: severity.value for check, severity in read_overrides(checks).items()} if checks else {}
    try:
        return parse_severities(read_text(path, "severities"), overrides, name=f"severities {path}")
    except FileNotFoundError as error:
        raise ConfigurationError(f"There are no severities {path}. Restore the file.") from error
