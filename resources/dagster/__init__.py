"""Dagster's door: resources, partitions, its API, run queue and launcher; all that touches its private parts."""
