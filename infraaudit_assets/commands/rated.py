"""The history as the commands see it that ask about findings."""

from typing import TYPE_CHECKING

from infraaudit_assets.settings import Settings, settings

if TYPE_CHECKING:
    from resources.history import History


def rated_history(current: Settings | None = None) -> "History":
    """This installation's history, rated by the severities of now. Raises ConfigurationError for a broken file."""
    from resources.configuration.severities import read_severities
    from resources.history import open_history
    from resources.history.severities import rate

    current = current or settings()
    history = open_history(current.history_url)
    rate(history, read_severities(current.severities))
    return history
