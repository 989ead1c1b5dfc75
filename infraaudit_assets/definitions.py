"""The composition root: projects, settings and resources become Dagster's definitions."""

import dagster as dg

from infraaudit_assets.assets import build_project_assets, build_project_checks
from infraaudit_assets.connections import build_resources
from infraaudit_assets.jobs import build_jobs
from infraaudit_assets.settings import Settings, candidates, settings
from infraaudit_domain.dagster_names import claimed_names
from infraaudit_domain.projects import Project
from resources.configuration.projects import load_projects
from resources.dagster.jobs import job_of_this_process
from resources.machine.imported_files import based_on
from sensors.commits import build_commit_sensor
from sensors.continuing import build_continuing_sensors
from sensors.outcomes import build_notice_sensor
from sensors.promotions import build_promotion_sensors
from sensors.requests import build_request_sensors


def concerned(projects: tuple[Project, ...], job: str) -> tuple[Project, ...]:
    """The project of a job, for a process that is for one run of it; every project where no single one has the job."""
    having = tuple(project for project in projects if job in claimed_names(project))
    return having if len(having) == 1 else projects


def build_definitions(projects: tuple[Project, ...], current: Settings) -> dg.Definitions:
    """Assets, jobs and sensors of every project."""
    jobs = {project.name: build_jobs(project) for project in projects}
    return dg.Definitions(
        assets=[asset for project in projects for asset in build_project_assets(project)],
        jobs=[job for of_project in jobs.values() for job in of_project],
        asset_checks=[check for project in projects for check in build_project_checks(project)],
        sensors=[
            *(build_commit_sensor(project, jobs[project.name], current.poll_seconds) for project in projects),
            *(
                one
                for project in projects
                for one in build_request_sensors(project, jobs[project.name], current.poll_seconds)
            ),
            *(one for project in projects for one in build_promotion_sensors(project, current.poll_seconds)),
            *(one for project in projects for one in build_continuing_sensors(project, current.poll_seconds)),
            build_notice_sensor(projects),
        ],
        resources=build_resources(current),
    )


for file in (settings().projects, settings().gate_file, settings().severities, settings().checks_file, *candidates()):
    based_on(file)
defs = build_definitions(concerned(load_projects(settings().projects), job_of_this_process()), settings())
