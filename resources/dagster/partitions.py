"""A project's partitions: one for each commit, keyed by its full SHA."""

import dagster as dg

from infraaudit_domain.dagster_names import partitions_name
from infraaudit_domain.projects import Project


def commits_of(project: Project) -> dg.DynamicPartitionsDefinition:
    """The partitions of a project: one for each commit, keyed by its full SHA."""
    return dg.DynamicPartitionsDefinition(name=partitions_name(project))
