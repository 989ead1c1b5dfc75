"""Triage: recording what people decide of findings, and its exchange with files."""
