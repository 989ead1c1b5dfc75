"""Questions asked of the history."""

from resources.history.queries.overview import CommitOverview, overview
from resources.history.queries.trends import open_by_severity

__all__ = ["CommitOverview", "open_by_severity", "overview"]
