"""Forges: a module each for what its API is asked, and one that asks."""
