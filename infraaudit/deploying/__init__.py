"""Releases: built from a commit, deployed and inspected; collecting their logs."""
