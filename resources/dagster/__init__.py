"""Dagster's edge: resources, partitions, its API, run queue and launcher; all that uses its private names."""
