"""The Dagster project: assets, jobs, definitions, and the command line."""
