"""The history as the commands see it that ask about findings."""

from typing import TYPE_CHECKING

from infraaudit_assets.settings import Settings, settings

if TYPE_CHECKING:
    from resources.history import History

_seen: dict[str, tuple[int, int] | None] = {}
"""The file by which each history was last rated in this process; the service asks at every request."""


def rated_history(current: Settings | None = None) -> "History":
    """This installation's history, rated by the severities of now. Raises ConfigurationError for a broken file."""
    from resources.configuration.severities import read_severities
    from resources.history import open_history
    from resources.history.scan_results import rate

    current = current or settings()
    history, file = open_history(current.history_url), current.severities
    state = (file.stat().st_mtime_ns, file.stat().st_size) if file.is_file() else None
    if state is None or _seen.get(current.history_url) != state:
        rate(history, read_severities(file))
        _seen[current.history_url] = state
    return history
