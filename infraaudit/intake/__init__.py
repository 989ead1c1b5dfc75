"""Commits: which are new, which get a run, and how they are recorded."""
