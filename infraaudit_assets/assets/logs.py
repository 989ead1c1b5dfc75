"""The `application_logs` asset: what the deployed containers printed since the last look."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_assets.assets.tables import code
from infraaudit_assets.domain.projects import Project
from resources.shells import ArtifactsResource, HistoryResource, KubernetesResource


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
        artifacts: ArtifactsResource,
    ) -> Iterator[dg.MaterializeResult]:
        from resources.log_store import LogStore

        with stage(context, project, history.open()):
            store = LogStore(Path(artifacts.state) / "logs" / project.name)
            target = kubernetes.connect(project.environment)
            environment = project.environment.name
            lines = store.append(environment, target.logs(project.name, environment, store.last(environment)))
            store.tidy(environment, today=datetime.now(UTC))
            levels = Counter(line["level"] for line in lines)
            yield dg.MaterializeResult(
                metadata={
                    "lines": len(lines),
                    "errors": levels["error"],
                    "levels": json.dumps(levels),
                    "file": dg.MetadataValue.path(store.file(environment)),
                    "newest": code("\n".join(line["text"] for line in lines[-15:]) or "nothing printed yet"),
                }
            )

    return application_logs
