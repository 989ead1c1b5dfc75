"""The run queue under the name that a dagster.yaml of 0.1 has; new ones name resources.dagster.run_queue."""

from resources.dagster.run_queue import KeyedRunQueue as KeyedRunQueue
