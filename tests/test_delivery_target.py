"""Where a person's rollback goes, when what is live is in a cluster."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit_assets.commands.delivery import target_of
from infraaudit_assets.domain.deployments import Deployment, Outcome
from infraaudit_assets.domain.errors import ClusterError
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.settings import settings
from tests.conftest import free_port
from tests.resources.databases import migrated_history

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_cluster_that_does_not_answer_is_not_replaced_by_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    (tmp_path / "kubeconfig").write_text(
        json.dumps({"clusters": [cluster], "contexts": [context], "current-context": "x", "users": [{"name": "u"}]})
    )
    for name, value in {"HOME": tmp_path, "KUBECONFIG": tmp_path / "kubeconfig", "TARGET": "auto"}.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    past, shop = migrated_history(tmp_path), Project("shop", "")
    past.record_project(shop)
    past.record_deployment(Deployment("shop", "production", "a" * 40, "kubernetes:x/shop", Outcome.DEPLOYED, NOW, NOW))
    with pytest.raises(ClusterError, match="What is live is in kubernetes:x/shop"):
        target_of(past, shop, shop.environment)
    settings.cache_clear()
