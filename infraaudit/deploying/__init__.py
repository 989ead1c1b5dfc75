"""Releases: made of a commit, deployed, looked at, and their logs collected."""
