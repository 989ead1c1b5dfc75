"""The `monitoring` asset: Prometheus configured for what was just deployed, and its target checked to be up."""

from collections.abc import Iterator

import dagster as dg

from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_assets.assets.tables import code
from infraaudit_domain.errors import MonitoringError
from infraaudit_domain.projects import Project
from resources.dagster.resources import ArtifactsResource, GitResource, HistoryResource, PrometheusResource
from resources.prometheus import (
    check_prometheus,
    reload_prometheus,
    render_prometheus,
    target_is_up,
    wait_until_scraped,
)

_SCRAPED_SECONDS = 90.0
"""Prometheus asks what is live every 15 seconds, and then scrapes; on a busy machine it takes its time."""


def build_monitoring(project: Project, common: dict) -> dg.AssetsDefinition:
    @dg.asset(
        **common,
        name="monitoring",
        description=f"{project.paths.prometheus}, rendered for what is live, checked, and the target seen up.",
        kinds={"prometheus", "yaml"},
        deps=[dg.AssetKey([*common["key_prefix"], "deployment"])],
        retry_policy=RETRY,
    )
    def monitoring(
        context: dg.AssetExecutionContext,
        git: GitResource,
        history: HistoryResource,
        artifacts: ArtifactsResource,
        prometheus: PrometheusResource,
    ) -> Iterator[dg.MaterializeResult]:
        past = history.connect()
        with stage(context, project, past) as current:
            live = past.live(project.name, project.environment.name)
            if live is None:
                raise MonitoringError(f"Nothing of {project.name} is live; materialize deployment first.")
            own = git.connect(project).read(current.sha, project.paths.prometheus)
            text = own.decode("utf-8", "replace") if own else None
            config = render_prometheus(project.name, text, [live.url] if live.url else [])
            checked_by = check_prometheus(config.text)
            path = artifacts.connect().keep(
                "monitoring", project.name, current.sha, "prometheus.yml", config.text.encode()
            )
            fault = target_is_up(live.url) if live.url else "the service has no address on this machine"
            if fault and live.url:
                raise MonitoringError(f"The deployed target is not up: {fault}")
            scraped = "not configured: set INFRAAUDIT_PROMETHEUS_URL"
            if prometheus.url:
                reload_prometheus(prometheus.url)
                labels = (live.project, live.environment, live.sha)
                scraped = wait_until_scraped(prometheus.url, *labels, timeout=_SCRAPED_SECONDS)
            yield dg.MaterializeResult(
                metadata={
                    "config": dg.MetadataValue.path(path),
                    "prometheus_yml": code(config.text),
                    "checked_by": checked_by,
                    "target": live.url or "unknown",
                    "target_up": fault or "yes",
                    "ignored_keys": ", ".join(config.ignored) or "none",
                    "prometheus": prometheus.url or scraped,
                    "scraped": scraped,
                }
            )

    return monitoring
