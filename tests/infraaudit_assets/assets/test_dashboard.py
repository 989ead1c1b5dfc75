"""The dashboard asset, materialized twice by Dagster: a Grafana is provisioned, and the second time changes nothing."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from infraaudit_assets.assets.dashboard import build_dashboard_asset
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.projects import Project
from resources.dagster.resources import ArtifactsResource, GitResource, GrafanaResource, HistoryResource
from tests.conftest import Repository
from tests.resources.databases import fresh_history
from tests.resources.grafana.test_client import RULES, StandIn, server

__all__ = ["server"]
NOW = datetime.now(UTC)


def test_materializing_again_changes_nothing_in_grafana(
    server: StandIn, repository: Repository, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> None:  # fmt: skip
    past = next(iter(fresh_history("sqlite", tmp_path, needs, request)))
    sha, project = repository.write({"a": "1"}, "one"), Project("shop", str(repository.path))
    git = GitResource(state=str(tmp_path))
    git.connect(project).fetch()
    past.record_project(project)
    past.record_commit("shop", git.connect(project).commit(sha))
    past.record_deployment(Deployment("shop", "production", sha, "c", Outcome.DEPLOYED, NOW, NOW))
    commits = dg.DynamicPartitionsDefinition(name="commits")
    asset = build_dashboard_asset(project, {"key_prefix": ["shop"], "partitions_def": commits})
    given = {
        "git": git,
        "history": HistoryResource(url=past.url, gate_file=""),
        "artifacts": ArtifactsResource(state=str(tmp_path), reports=str(tmp_path)),
        "grafana": GrafanaResource(url=f"http://127.0.0.1:{server.server_port}", token="token", rules=str(RULES)),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("commits", [sha])
        for _ in range(2):
            done = dg.materialize([asset], partition_key=sha, instance=instance, resources=given)
            (made,) = done.asset_materializations_for_node("shop__dashboard")
            assert str(made.metadata["grafana"].value).endswith("/d/infraaudit/x")
    assert (set(server.folders), set(server.dashboards)) == ({"infraaudit"}, {"infraaudit"})
    assert [one["text"] for one in server.annotations] == [f"shop {sha[:12]} deployed in production"]
    past.close()
