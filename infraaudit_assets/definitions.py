"""The composition root: the only place where settings meet resources."""

import dagster as dg

from infraaudit_assets.assets import build_project_assets
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.jobs import build_jobs
from infraaudit_assets.settings import Settings, settings
from resources import shells
from resources.project_file import load_projects
from sensors.commits import build_commit_sensor
from sensors.outcomes import build_failure_sensor


def build_resources(current: Settings) -> dict[str, dg.ConfigurableResource]:
    """The outside systems, under the names that people look for."""
    state = str(current.state)
    return {
        "git": shells.GitResource(state=state),
        "artifacts": shells.ArtifactsResource(state=state, reports=str(current.reports.resolve())),
        "docker": shells.DockerResource(
            engine=current.engine,
            base_image=current.base_image or "",
            build_seconds=current.build_seconds,
            test_seconds=current.test_seconds,
        ),
        "kubernetes": shells.KubernetesResource(
            target=current.target,
            kubeconfig=str(current.kubeconfig or ""),
            state=state,
            engine=current.engine,
            rollout_seconds=current.rollout_seconds,
        ),
        "checkov": shells.CheckovResource(state=state, severities=str(current.severities)),
        "history": shells.HistoryResource(url=current.history_url, gate_file=str(current.shipped / "gate.yaml")),
        "prometheus": shells.PrometheusResource(url=current.prometheus_url or ""),
        "grafana": shells.GrafanaResource(
            url=current.grafana_url or "",
            token=current.grafana_token.get_secret_value() if current.grafana_token else "",
        ),
        "notifier": shells.NotifierResource(
            urls=[url.get_secret_value() for url in current.notify], dagster_url=current.dagster_url
        ),
    }


def build_definitions(projects: tuple[Project, ...], current: Settings) -> dg.Definitions:
    """Assets, jobs and sensors of every project."""
    jobs = {project.name: build_jobs(project) for project in projects}
    return dg.Definitions(
        assets=[asset for project in projects for asset in build_project_assets(project)],
        jobs=[job for of_project in jobs.values() for job in of_project],
        sensors=[
            *(build_commit_sensor(project, jobs[project.name], current.poll_seconds) for project in projects),
            build_failure_sensor(projects),
        ],
        resources=build_resources(current),
    )


defs = build_definitions(load_projects(settings().projects), settings())
