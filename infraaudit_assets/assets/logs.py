"""The `application_logs` asset: what the deployed containers printed since the last look.

It runs after a rollout, and takes the lines of every live pod of every environment, whichever commit they are of.
Between rollouts the service collects them, and reports observations of this asset (service/workers/watch_worker.py).
Deliberately absent: showing them (`infraaudit logs`).
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from infraaudit.deploying.logs import collect_logs, send_on
from infraaudit_assets.assets.stage import RETRY, Stage, stage
from infraaudit_assets.assets.tables import code
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Project
from resources.dagster.resources import HistoryResource, KubernetesResource, LogsResource
from resources.history.queries.log_counts import lines_printed
from resources.logs.store import Row


def build_application_logs(project: Project, common: dict) -> dg.AssetsDefinition:
    @dg.asset(
        **common,
        name="application_logs",
        description="Lines of every live container, kept as JSON lines by commit.",
        kinds={"kubernetes"},
        deps=[dg.AssetKey([*common["key_prefix"], "deployment"])],
        retry_policy=RETRY,
    )
    def application_logs(
        context: dg.AssetExecutionContext,
        kubernetes: KubernetesResource,
        history: HistoryResource,
        logs: LogsResource,
    ) -> Iterator[dg.MaterializeResult]:
        past = history.connect()
        with stage(context, project, past) as current:
            store, fresh = logs.connect(project), list[Row]()
            for environment in project.environments:
                live = past.live(project.name, environment.name)
                if live is not None:
                    fresh += collect_logs(past, store, kubernetes.connect(environment, live), project, environment)
            levels = Counter(row["level"] for row in fresh)
            printed = lines_printed(past, project.name, current.sha)
            yield dg.MaterializeResult(
                metadata={
                    "lines": len(fresh),
                    "errors": levels["error"],
                    "levels": json.dumps(levels),
                    "lines_of_commit": sum(printed.values()),
                    "error_rate_of_commit": printed.get("error", 0) / max(sum(printed.values()), 1),
                    "folder": dg.MetadataValue.path(store.folder),
                    "newest": code("\n".join(row["text"] for row in fresh[-15:]) or "nothing new printed"),
                    **_sent_on(project, current, logs),
                }
            )

    return application_logs


def _sent_on(project: Project, current: Stage, logs: LogsResource) -> dict[str, Any]:
    """Loki gets the lines too; lines that it refuses are kept all the same, and sent again next time."""
    loki = logs.loki()
    if loki is None:
        return {}
    try:
        sent, refused = send_on(logs.connect(project), project, project.environments, loki)
    except InfraAuditError as error:
        current.log.warning("The lines wait: %s", error)
        return {"loki": f"The lines wait: {error}"}
    return {"loki": f"refused: {refused}" if refused else "took them", "loki_lines": sent}
