"""The `dashboard` asset: the project's Grafana dashboard and InfraAudit's own, kept by commit."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from infraaudit.accepted import suppressions_by
from infraaudit.pages.audit import audit_file
from infraaudit.pages.audit.exposure_picture import draw_exposures
from infraaudit.pages.audit.png import inline, png_of
from infraaudit.pages.grafana_dashboard import build_dashboard, check_dashboard
from infraaudit.questions.asked import Asked, ProjectRules
from infraaudit.questions.replay.least_exposure import exposures
from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_domain.projects import Project
from resources.dagster.resources import ArtifactsResource, GitResource, GrafanaResource, HistoryResource
from resources.grafana.provisioning import provision
from resources.history import History
from resources.history.deployments import tried_deployments
from resources.history.stored_line import stored_line

_MARKED, _MARKS = timedelta(days=7), 20
"""Which deployments are marked in Grafana's panels: those of a week, the newest first of all."""


def build_dashboard_asset(project: Project, common: dict) -> dg.AssetsDefinition:
    @dg.asset(
        **common,
        name="dashboard",
        description=f"{project.paths.dashboard} of the commit, checked; Grafana provisioned; the audit page as a file.",
        kinds={"grafana"},
        deps=[dg.AssetKey([*common["key_prefix"], name]) for name in ("monitoring", "scan_trends")],
        retry_policy=RETRY,
    )
    def dashboard(
        context: dg.AssetExecutionContext,
        git: GitResource,
        history: HistoryResource,
        artifacts: ArtifactsResource,
        grafana: GrafanaResource,
    ) -> Iterator[dg.MaterializeResult]:
        past = history.connect()
        with stage(context, project, past) as current:
            generated = build_dashboard()
            own = git.connect(project).read(current.sha, project.paths.dashboard)
            text = own.decode("utf-8", "replace") if own else generated
            found = check_dashboard(text)
            store = artifacts.connect()
            path = store.keep("dashboards", project.name, current.sha, "grafana_dashboard.json", text.encode())
            store.keep("dashboards", project.name, current.sha, "infraaudit.json", generated.encode())
            page = audit_file(past, project.name, current.sha, datetime.now(UTC))
            addresses = []
            if server := grafana.connect():
                lately = tried_deployments(past, datetime.now(UTC) - _MARKED)
                tried = [done for done in lately if done.project == project.name][-_MARKS:]
                own_text = text if own else None
                addresses = provision(server, project.name, generated, own_text, Path(grafana.rules), tried)
            yield dg.MaterializeResult(
                metadata=_ways_back(past, project, Path(history.gate_file).parent)
                | {
                    "audit_page": dg.MetadataValue.path(
                        store.keep("dashboards", project.name, current.sha, "audit.html", page.encode())
                    ),
                    "dashboard": dg.MetadataValue.path(path),
                    "title": found["title"],
                    "panels": len(found["panels"]),
                    "grafana": "\n".join(addresses) or "not configured: set INFRAAUDIT_GRAFANA_URL; the JSON is kept",
                    "source": "the commit's own" if own else "generated: the commit has none",
                }
            )

    return dashboard


def _ways_back(past: History, project: Project, configuration: Path) -> dict[str, dg.MetadataValue]:
    """The commits to go back to from what is live, as a picture; nothing where there are none."""
    name = project.environment.name
    rules = ProjectRules(name, suppressions_by(past, configuration, project.name))
    asked = Asked(stored_line(past, project.name), rules, datetime.now(UTC))
    found, advised = exposures(asked) if past.live(project.name, name) else ([], None)
    picture = draw_exposures(found, advised, link=lambda _: "")
    title = f"{project.name}: ways back in {name}"
    return {"ways back": dg.MetadataValue.md(inline(png_of(picture, title), "ways back"))} if picture else {}
