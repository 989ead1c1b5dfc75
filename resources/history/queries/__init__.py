"""Questions asked of the history, one module for each kind."""
