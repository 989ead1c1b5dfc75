"""Questions asked of the history, a module a kind."""
