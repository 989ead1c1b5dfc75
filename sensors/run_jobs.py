"""The run launcher under the name that a dagster.yaml of 0.1 has; new ones name resources.dagster.run_jobs."""

from resources.dagster.run_jobs import RunJobs as RunJobs
