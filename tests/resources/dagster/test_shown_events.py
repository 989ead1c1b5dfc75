"""What a watcher shows Dagster arrives, at a real webserver: checks and observations that no run made."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from infraaudit_domain.errors import DagsterUnavailableError
from resources.dagster.api import DagsterApi
from tests.conftest import free_port

ASSET = dg.AssetKey(["shop", "deployment"])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def api(instance: dg.DagsterInstance) -> Iterator[DagsterApi]:
    port = free_port()
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context:
        app = create_app_from_workspace_process_context(context)
        server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield DagsterApi(f"http://127.0.0.1:{port}")
        server.should_exit = True
        thread.join()


def test_checks_and_observations_are_where_people_look(instance: dg.DagsterInstance, api: DagsterApi) -> None:
    drift = "Deployment/web: spec.replicas is 2, deployed was 1"
    api.show_check(ASSET.path, "no_drift", False, "1 field differs", {"drift": drift})
    api.show_observation(["shop", "application_logs"], "1" * 40, "3 new lines", {"lines": 3})
    key = dg.AssetCheckKey(ASSET, "no_drift")
    (look,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    assert look.event and look.event.dagster_event
    shown = look.event.dagster_event.asset_check_evaluation_data
    assert (shown.passed, shown.severity, shown.metadata["drift"].value) == (False, dg.AssetCheckSeverity.WARN, drift)
    assert shown.metadata["found"].value == "1 field differs"
    seen = instance.fetch_observations(dg.AssetKey(["shop", "application_logs"]), limit=5).records
    assert [(record.asset_observation.partition, record.asset_observation.metadata["lines"].value)
            for record in seen if record.asset_observation] == [("1" * 40, 3)]  # fmt: skip
    assert not instance.get_runs()


def test_a_webserver_that_is_away_or_refuses_is_said(api: DagsterApi) -> None:
    with pytest.raises(DagsterUnavailableError, match="does not answer"):
        DagsterApi("http://127.0.0.1:1").show_check(ASSET.path, "no_drift", True, "", {})
    with pytest.raises(DagsterUnavailableError, match="refused"):
        api.show_check(ASSET.path, "no_drift", "perhaps", "", {})
