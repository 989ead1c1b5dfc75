"""The history as the commands see it that ask about findings."""

from typing import TYPE_CHECKING

from infraaudit_assets.settings import Settings, settings

if TYPE_CHECKING:
    from resources.history import History

_State = tuple[tuple[int, int] | None, ...]
_seen: dict[str, _State] = {}
"""The files by which each history was last rated in this process; the service asks at every request."""


def rated_history(current: Settings | None = None) -> "History":
    """This installation's history, rated by the severities of now. Raises ConfigurationError for a broken file."""
    from resources.configuration.severities import read_severities
    from resources.history import open_history
    from resources.history.scan_results import rate

    current = current or settings()
    history, files = open_history(current.history_url), (current.severities, current.checks_file)
    state: _State = tuple((f.stat().st_mtime_ns, f.stat().st_size) if f.is_file() else None for f in files)
    if state[0] is None or _seen.get(current.history_url) != state:
        rate(history, read_severities(*files))
        _seen[current.history_url] = state
    return history
