"""Dagster's view of the outside systems: configuration in, a plain client out of ``connect``.

Deliberately absent: behaviour. Each client imports its library when it is created.
"""

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg

from infraaudit_domain.delivery.builds import Isolation
from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.projects import Environment, Project
from infraaudit_domain.reporting.recipients import Address, recipients_of
from infraaudit_domain.reporting.remedies import Remedies
from resources.checkov import CheckovRunner
from resources.checkov.parent import Parent, SharedParent
from resources.configuration.checks import read_remedies
from resources.configuration.severities import read_severities
from resources.engine import Engine, detect_engine
from resources.engine.box.building import BoxedBuild
from resources.git.mirror import Mirror
from resources.grafana.client import Grafana
from resources.history import History, open_history
from resources.history.scan_results import rate
from resources.logs.loki import Loki
from resources.logs.store import LogStore
from resources.machine.artifact_store import ArtifactStore
from resources.machine.state_folder import StateFolder
from resources.notifier import Notifier
from resources.targets.cluster import server_hosts
from resources.targets.connect import connect_target
from resources.targets.target import Target


def from_environment(variable: str, value: object) -> str:
    """A secret, read from its variable when it is used: Dagster shows and stores the configuration of resources."""
    return dg.EnvVar(variable) if value else ""


class GitResource(dg.ConfigurableResource):
    """Mirrors and checkouts of the projects' repositories."""

    state: str

    def connect(self, project: Project) -> Mirror:
        return Mirror(project.url, StateFolder(Path(self.state)).mirror(project.name))

    @property
    def scratch(self) -> Path:
        return StateFolder(Path(self.state)).checkouts


class ArtifactsResource(dg.ConfigurableResource):
    """Where stages keep their files."""

    state: str
    reports: str

    def connect(self) -> ArtifactStore:
        return ArtifactStore(Path(self.state), Path(self.reports))


class LogsResource(dg.ConfigurableResource):
    """Where the log lines of deployed containers are kept, and the Loki that they are sent to, where there is one."""

    state: str
    days: int = 30
    megabytes: int = 512
    loki_url: str = ""
    loki_tenant: str = ""

    def connect(self, project: Project) -> LogStore:
        folder = StateFolder(Path(self.state)).logs(project.name)
        return LogStore(folder, days=self.days, max_bytes=self.megabytes * 1024 * 1024)

    def loki(self) -> Loki | None:
        return Loki(self.loki_url, self.loki_tenant) if self.loki_url else None


class DockerResource(dg.ConfigurableResource):
    """The container engine that builds images and runs tests."""

    engine: str = "auto"
    base_image: str = ""
    state: str = ""
    build_isolation: Isolation = Isolation.NONE
    kubeconfig: str = ""
    closed_hosts: list[str] = []
    """Hosts that no build reaches, besides the cluster's, the engine's and what is not public."""
    build_seconds: float = 1800
    test_seconds: float = 900

    def connect(self) -> Engine:
        """Raises EngineUnavailableError."""
        return detect_engine(self.engine)

    def box(self, project: Project) -> BoxedBuild | None:
        """The box that the project's images are built in; None where they are built on the engine itself."""
        if (project.build.isolation or self.build_isolation) is Isolation.NONE:
            return None
        closed = [*self.closed_hosts, *server_hosts(Path(self.kubeconfig) if self.kubeconfig else None)]
        if engine_host := urlsplit(os.environ.get("DOCKER_HOST", "")).hostname:
            closed.append(engine_host)
        return BoxedBuild(StateFolder(Path(self.state)).box(project.name), project.build, tuple(closed))

    def build_args(self, project: Project) -> dict[str, str]:
        base = {"BASE_IMAGE": self.base_image} if self.base_image else {}
        return base | dict(project.build_args)


class KubernetesResource(dg.ConfigurableResource):
    """Where commits are deployed to: a cluster where one answers, else containers of the engine."""

    target: str = "auto"
    kubeconfig: str = ""
    state: str
    engine: str = "auto"
    rollout_seconds: float = 300

    def connect(self, environment: Environment, live: Deployment | None) -> Target:
        """Raises ClusterUnavailableError or EngineUnavailableError; see connect_target."""
        kubeconfig = Path(self.kubeconfig) if self.kubeconfig else None
        return connect_target(
            self.target, environment, kubeconfig, self.engine, StateFolder(Path(self.state)).containers, live
        )


class CheckovResource(dg.ConfigurableResource):
    """The scanner."""

    state: str
    severities: str
    checks: str = ""
    """The site's own word on checks."""
    warm_minutes: float = 0
    """How long the process that holds Checkov is kept for the next run; 0 has each run start its own."""

    def connect(self, history: History) -> CheckovRunner:
        return CheckovRunner(
            StateFolder(Path(self.state)).scans,
            read_severities(Path(self.severities), Path(self.checks) if self.checks else None),
            reuse=history.framework_scan,
            parent=partial(SharedParent, idle_seconds=60 * self.warm_minutes) if self.warm_minutes else Parent,
        )


class HistoryResource(dg.ConfigurableResource):
    """The history database, and the gate's policy on what it holds."""

    url: str
    gate_file: str
    severities: str = ""
    """The file that rates findings; empty where the stored rating stays."""
    checks: str = ""
    """The site's own word on checks."""
    remedies: str = ""
    """The file of links by check."""

    def connect(self) -> History:
        history = open_history(self.url)
        if self.severities:
            rate(history, read_severities(Path(self.severities), Path(self.checks) if self.checks else None))
        return history

    def explanations(self) -> Remedies:
        """How findings are fixed, by check."""
        return read_remedies(Path(self.remedies), Path(self.checks)) if self.remedies else Remedies()


class PrometheusResource(dg.ConfigurableResource):
    """The Prometheus that is reloaded and queried; empty where there is none."""

    url: str = ""


class GrafanaResource(dg.ConfigurableResource):
    """The Grafana that dashboards are provisioned to; empty where there is none."""

    url: str = ""
    token: str = ""
    rules: str = ""

    def connect(self) -> Grafana | None:
        return Grafana(self.url, self.token) if self.url else None


class NotifierResource(dg.ConfigurableResource):
    """Who is notified; without a URL notices are only logged. ``urls`` is a JSON list, as the setting is."""

    urls: str = ""
    dagster_url: str = ""
    service_url: str = ""

    def commit_link(self, project: str, sha: str) -> str:
        """The audit page of a commit."""
        return f"{self.service_url.rstrip('/')}/projects/{project}/commits/{sha}"

    def connect(self, project: str, projects: Mapping[str, Project]) -> Notifier:
        """The addresses of the settings, and those of a project that is still configured."""
        everywhere = [Address(url) for url in json.loads(self.urls or "[]")]
        return Notifier(recipients_of(project, everywhere, {name: one.recipients for name, one in projects.items()}))
