"""The target of a manual rollback while the cluster of the live deployment does not answer."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infraaudit_assets.cli import app
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import ClusterError
from resources.history import History
from tests.conftest import Repository, free_port
from tests.resources.databases import migrated_history

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def past(tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """Two commits were live in a cluster whose address no longer answers."""
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    (tmp_path / "kubeconfig").write_text(
        json.dumps({"clusters": [cluster], "contexts": [context], "current-context": "x", "users": [{"name": "u"}]})
    )
    (tmp_path / "projects.yaml").write_text(json.dumps({"projects": [{"name": "shop", "url": str(repository.path)}]}))
    for name, value in {
        "HOME": tmp_path, "PROJECTS": tmp_path / "projects.yaml", "KUBECONFIG": tmp_path / "kubeconfig", "TARGET": "auto",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    history = migrated_history(tmp_path)
    for day, sha in enumerate(repository.write({"a": text}, text) for text in "12"):
        at = NOW + timedelta(days=day)
        history.record_deployment(
            Deployment("shop", "production", sha, "kubernetes:x/shop", Outcome.DEPLOYED, at, at, manifests="[]")
        )
    yield history
    settings.cache_clear()


def test_a_rollback_is_refused_and_not_made_in_containers(past: History) -> None:
    before = past.live("shop", "production")
    refused = CliRunner().invoke(app, ["rollback", "--project", "shop"])
    assert isinstance(refused.exception, ClusterError)
    assert "What is live is in kubernetes:x/shop" in str(refused.exception)
    assert past.live("shop", "production") == before


def test_the_status_says_that_it_is_not_known(past: History) -> None:
    (row,) = json.loads(CliRunner().invoke(app, ["status", "--project", "shop", "--json"]).stdout)
    assert (row["state"], row["target"]) == ("unknown", "kubernetes:x/shop")
    assert "What is live is in kubernetes:x/shop" in row["reason"]
