"""The composition root: the only module where settings meet resources."""

import dagster as dg

from infraaudit_assets.assets import build_project_assets, build_project_checks
from infraaudit_assets.jobs import build_jobs
from infraaudit_assets.settings import Settings, settings
from infraaudit_domain.projects import Project
from resources.configuration.projects import load_projects
from resources.dagster import resources as shells
from sensors.commits import build_commit_sensor
from sensors.outcomes import build_notice_sensor
from sensors.promotions import build_promotion_sensors
from sensors.watch import build_watch_schedule


def build_resources(current: Settings) -> dict[str, dg.ConfigurableResource]:
    """The outside systems, under the names that people look for."""
    state = str(current.state.path)
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
        "logs": shells.LogsResource(
            state=state,
            days=current.log_days,
            megabytes=current.log_megabytes,
            loki_url=shells.from_environment("INFRAAUDIT_LOKI_URL", current.loki_url),
            loki_tenant=current.loki_tenant or "",
        ),
        "checkov": shells.CheckovResource(state=state, severities=str(current.severities)),
        "history": shells.HistoryResource(
            url=shells.from_environment("INFRAAUDIT_DATABASE_URL", current.database_url) or current.history_url,
            gate_file=str(current.gate_file),
        ),
        "prometheus": shells.PrometheusResource(url=current.prometheus_url or ""),
        "grafana": shells.GrafanaResource(
            url=current.grafana_url or "",
            token=shells.from_environment("INFRAAUDIT_GRAFANA_TOKEN", current.grafana_token),
            rules=str(current.shipped / "prometheus" / "rules.yml"),
        ),
        "notifier": shells.NotifierResource(
            urls=shells.from_environment("INFRAAUDIT_NOTIFY", current.notify),
            dagster_url=current.dagster_link,
            service_url=current.service_url,
        ),
    }


def build_definitions(projects: tuple[Project, ...], current: Settings) -> dg.Definitions:
    """Assets, jobs and sensors of every project."""
    jobs = {project.name: build_jobs(project) for project in projects}
    return dg.Definitions(
        assets=[asset for project in projects for asset in build_project_assets(project)],
        jobs=[job for of_project in jobs.values() for job in of_project],
        asset_checks=[check for project in projects for check in build_project_checks(project)],
        schedules=[build_watch_schedule(project, current.watch_minutes) for project in projects],
        sensors=[
            *(build_commit_sensor(project, jobs[project.name], current.poll_seconds) for project in projects),
            *(one for project in projects for one in build_promotion_sensors(project, current.poll_seconds)),
            build_notice_sensor(projects),
        ],
        resources=build_resources(current),
    )


defs = build_definitions(load_projects(settings().projects), settings())
