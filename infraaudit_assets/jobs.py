"""What sensors and the command line start: the whole pipeline of a commit, or its audit half."""

import dagster as dg

from infraaudit_domain.dagster_names import (
    LIVE_STILL_PASSES,
    NO_DRIFT,
    audit_name,
    delivery_name,
    deployment_name,
    fork_name,
    group_of,
    image_name,
    pipeline_name,
    promotion_name,
    request_name,
)
from infraaudit_domain.projects import Environment, Project
from resources.dagster.executor import forked_executor
from resources.dagster.jobs import AssetJob

AUDIT_STAGES = ("commit", "scan_report", "scan_trends")
REQUEST_STAGES = ("commit", "docker_image", "test_results", "scan_report")
FORK_STAGES = ("commit", "scan_report")
"""A stranger's commit is read, and nothing of it is run."""
DELIVERY_STAGES = ("deployment", "monitoring", "application_logs", "dashboard")


def asset_of(project: Project, environment: Environment) -> dg.AssetKey:
    """The deployment asset of an environment."""
    return dg.AssetKey([group_of(project), deployment_name(project, environment)])


def drift_check_of(project: Project, environment: Environment) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(asset_of(project, environment), NO_DRIFT)


def live_gate_check_of(project: Project, environment: Environment) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(asset_of(project, environment), LIVE_STILL_PASSES)


def build_jobs(project: Project) -> list[AssetJob]:
    """The jobs of one project."""
    group = group_of(project)
    later = dg.AssetSelection.assets(*(asset_of(project, environment) for environment in project.environments[1:]))
    judged = [live_gate_check_of(project, environment) for environment in project.environments]
    watched = [drift_check_of(project, environment) for environment in project.environments]
    audit = dg.AssetSelection.assets(*([group, name] for name in AUDIT_STAGES))
    delivered = dg.AssetSelection.assets(*([group, name] for name in DELIVERY_STAGES))
    delivery = delivered - dg.AssetSelection.checks(*judged)
    return [
        dg.define_asset_job(
            pipeline_name(project),
            selection=dg.AssetSelection.groups(group) - later - dg.AssetSelection.checks(*watched, *judged),
            executor_def=forked_executor,
            description=f"Every stage of one commit of {project.name}.",
        ),
        dg.define_asset_job(
            audit_name(project),
            selection=audit,
            executor_def=dg.in_process_executor,
            description=f"Scan one commit of {project.name}; builds and deploys nothing.",
        ),
        dg.define_asset_job(
            delivery_name(project),
            selection=delivery,
            executor_def=forked_executor,
            description=f"Deliver a commit of {project.name} that was built on another branch; the gates hold.",
        ),
        *(_of_requests(project) if project.forge and project.forge.requests else ()),
        *(
            dg.define_asset_job(
                promotion_name(project, environment),
                selection=dg.AssetSelection.assets(asset_of(project, environment))
                - dg.AssetSelection.checks(*watched, *judged),
                executor_def=dg.in_process_executor,
                description=f"Bring one commit of {project.name} to {environment.name}.",
            )
            for environment in project.environments[1:]
        ),
    ]


def _of_requests(project: Project) -> list[AssetJob]:
    """The jobs of a request's head, which is never deployed and is in no trend."""
    further = [image_name(project, source) for source in project.further_images]
    stages = FORK_STAGES if project.audit_only else (*REQUEST_STAGES, *further)
    group = group_of(project)
    return [
        dg.define_asset_job(
            request_name(project),
            selection=dg.AssetSelection.assets(*([group, name] for name in stages)),
            executor_def=forked_executor,
            description=f"Build, test and scan the head of a request to {project.name}; deploys nothing.",
        ),
        dg.define_asset_job(
            fork_name(project),
            selection=dg.AssetSelection.assets(*([group, name] for name in FORK_STAGES)),
            executor_def=dg.in_process_executor,
            description=f"Scan the head of a fork's request to {project.name}; runs nothing of it.",
        ),
    ]
