"""Definitions with our own sensors, names and launches, and a pipeline of one cheap asset instead of a real one.

What starts runs is the subject of the tests that load this; it is the same code as in infraaudit_assets/definitions.
"""

import os
from pathlib import Path

import dagster as dg

from infraaudit_assets.settings import settings
from infraaudit_domain.dagster_names import delivery_name, group_of, pipeline_name
from infraaudit_domain.projects import Project
from resources.configuration.projects import load_projects
from resources.dagster.partitions import commits_of
from resources.dagster.resources import GitResource, HistoryResource
from sensors.commits import build_commit_sensor

current = settings()


def build_asset(project: Project) -> dg.AssetsDefinition:
    @dg.asset(key_prefix=[group_of(project)], name="executed", partitions_def=commits_of(project))
    def executed(context: dg.AssetExecutionContext) -> None:
        line = f"{project.name} {context.partition_key} {context.run_id}\n"
        descriptor = os.open(current.state.path / "executed.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    return executed


def build_project(project: Project) -> dg.Definitions:
    jobs = [
        dg.define_asset_job(
            name,
            selection=dg.AssetSelection.assets([group_of(project), "executed"]),
            partitions_def=commits_of(project),
            executor_def=dg.in_process_executor,
        )
        for name in (pipeline_name(project), delivery_name(project))
    ]
    sensor = build_commit_sensor(project, jobs, current.poll_seconds)
    return dg.Definitions(assets=[build_asset(project)], jobs=jobs, sensors=[sensor])


defs = dg.Definitions.merge(
    *(build_project(project) for project in load_projects(Path(current.projects))),
    dg.Definitions(
        resources={
            "git": GitResource(state=str(current.state.path)),
            "history": HistoryResource(url=current.history_url, gate_file=""),
        }
    ),
)
