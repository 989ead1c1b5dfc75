"""Where settings meet the outside systems: each resource with what the settings say of it."""

from urllib.parse import urlsplit

import dagster as dg

from infraaudit_assets.settings import Settings
from infraaudit_domain.delivery.builds import Isolation
from resources.dagster.resources import (
    ArtifactsResource,
    CheckovResource,
    DockerResource,
    GitResource,
    GrafanaResource,
    HistoryResource,
    KubernetesResource,
    LogsResource,
    NotifierResource,
    PrometheusResource,
    from_environment,
)


def build_resources(current: Settings) -> dict[str, dg.ConfigurableResource]:
    """The outside systems, under the names that people look for."""
    state = str(current.state.path)
    return {
        "git": GitResource(state=state),
        "artifacts": ArtifactsResource(state=state, reports=str(current.reports.resolve())),
        "docker": DockerResource(
            engine=current.engine,
            base_image=current.base_image or "",
            state=state,
            build_isolation=Isolation(current.build_isolation),
            kubeconfig=str(current.kubeconfig or ""),
            closed_hosts=_hosts(current.database_url, current.prometheus_url, current.grafana_url),
            build_seconds=current.build_seconds,
            test_seconds=current.test_seconds,
        ),
        "kubernetes": KubernetesResource(
            target=current.target,
            kubeconfig=str(current.kubeconfig or ""),
            state=state,
            engine=current.engine,
            rollout_seconds=current.rollout_seconds,
        ),
        "logs": LogsResource(
            state=state,
            days=current.log_days,
            megabytes=current.log_megabytes,
            loki_url=from_environment("INFRAAUDIT_LOKI_URL", current.loki_url),
            loki_tenant=current.loki_tenant or "",
        ),
        "checkov": CheckovResource(
            state=state,
            severities=str(current.severities),
            checks=str(current.checks_file),
            warm_minutes=current.warm_minutes,
        ),
        "history": HistoryResource(
            url=from_environment("INFRAAUDIT_DATABASE_URL", current.database_url) or current.history_url,
            gate_file=str(current.gate_file),
            severities=str(current.severities),
            checks=str(current.checks_file),
            remedies=str(current.remedies),
        ),
        "prometheus": PrometheusResource(url=current.prometheus_url or ""),
        "grafana": GrafanaResource(
            url=current.grafana_url or "",
            token=from_environment("INFRAAUDIT_GRAFANA_TOKEN", current.grafana_token),
            rules=str(current.shipped / "prometheus" / "rules.yml"),
        ),
        "notifier": NotifierResource(
            urls=from_environment("INFRAAUDIT_NOTIFY", current.notify),
            dagster_url=current.dagster_link,
            service_url=current.service_url,
        ),
    }


def _hosts(*urls: str | None) -> list[str]:
    return sorted({host for url in urls if url and (host := urlsplit(url).hostname)})
