"""Questions that need the history and something beside it."""
