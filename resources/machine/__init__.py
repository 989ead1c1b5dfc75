"""This machine: processes, files, locks."""
