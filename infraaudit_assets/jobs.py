"""What sensors and the command line start: the whole pipeline of a commit, or its audit half."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from infraaudit_assets.assets import commits_of, group_of
from infraaudit_assets.domain.projects import Project

PRELOAD = [
    "infraaudit_assets.definitions",
    "dagster._cli",
    "dagster._core.execution.api",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.runs",
    "dagster._core.storage.event_log",
    "dagster._core.storage.schedules",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.fs_io_manager",
    "upath.implementations.local",
    "sqlalchemy.dialects.sqlite",
    "alembic.command",
    "resources.history",
]

# A forked step costs about 0.5 CPU seconds, one in a fresh interpreter 3: every step imports the definitions.
STEP_EXECUTOR = dg.multiprocess_executor.configured(
    {"max_concurrent": 3, "start_method": {"forkserver": {"preload_modules": PRELOAD}}}
)
AUDIT_STAGES = ("commit", "scan_report", "scan_trends")
DELIVERY_STAGES = ("deployment", "monitoring", "application_logs", "dashboard")


def pipeline_name(project: Project) -> str:
    return f"{group_of(project)}_pipeline"


def delivery_name(project: Project) -> str:
    return f"{group_of(project)}_delivery"


def build_jobs(project: Project) -> list[UnresolvedAssetJobDefinition]:
    """The jobs of one project."""
    group = group_of(project)
    audit = dg.AssetSelection.assets(*([group, name] for name in AUDIT_STAGES))
    delivery = dg.AssetSelection.assets(*([group, name] for name in DELIVERY_STAGES))
    return [
        dg.define_asset_job(
            pipeline_name(project),
            selection=dg.AssetSelection.groups(group),
            partitions_def=commits_of(project),
            executor_def=STEP_EXECUTOR,
            description=f"Every stage of one commit of {project.name}.",
        ),
        dg.define_asset_job(
            f"{group}_audit",
            selection=audit,
            partitions_def=commits_of(project),
            executor_def=dg.in_process_executor,
            description=f"Scan one commit of {project.name}; builds and deploys nothing.",
        ),
        dg.define_asset_job(
            delivery_name(project),
            selection=delivery,
            partitions_def=commits_of(project),
            executor_def=STEP_EXECUTOR,
            description=f"Deliver a commit of {project.name} that was built on another branch; the gates hold.",
        ),
    ]
