"""Types of jobs that Dagster has no public name for, and the job that a process is for."""

import os

from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

AssetJob = UnresolvedAssetJobDefinition
"""What ``dg.define_asset_job`` returns."""


def reconstructable_job(module: str, definitions: str, job: str) -> ReconstructableJob:
    """A job that step processes can load by the module and name of its definitions."""
    return ReconstructableRepository.for_module(module, definitions).get_reconstructable_job(job)


def job_of_this_process() -> str:
    """The job of the one run that this container or Job is for; empty in every other process."""
    return os.environ.get("DAGSTER_RUN_JOB_NAME", "")
