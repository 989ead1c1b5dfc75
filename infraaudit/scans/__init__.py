"""Scans of commits: recorded, compared, followed over the history, and attributed to a cause."""
