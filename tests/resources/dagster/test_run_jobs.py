"""The reported state of a run's Job while the API server does not answer, and when the Job is gone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.launcher.base import WorkerStatus

from resources.dagster.run_jobs import RunJobs
from tests.conftest import free_port, require
from tests.e2e.api_servers import OwnApiServer
from tests.e2e.clusters import IMAGE, kubectl

RUN = DagsterRun(
    job_name="shop_pipeline", run_id="0d5a4f5e-0000-4000-8000-000000000001", status=DagsterRunStatus.STARTED
)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def launcher(instance: DagsterInstance, kubeconfig: Path) -> RunJobs:
    made = RunJobs(
        service_account_name="run", instance_config_map="dagster", dagster_home="/", job_image="image",
        load_incluster_config=False, kubeconfig_file=str(kubeconfig),
    )  # fmt: skip
    made.register_instance(instance)
    return made


def test_a_run_goes_on_while_nobody_is_at_the_api_servers_address(instance: DagsterInstance, tmp_path: Path) -> None:
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {}}]
    config = {"clusters": [cluster], "contexts": [context], "current-context": "x", "users": users}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    found = launcher(instance, tmp_path / "kubeconfig").check_run_worker_health(RUN)
    assert found.status is WorkerStatus.RUNNING and "refused" in str(found.msg)


@pytest.mark.e2e
def test_a_run_is_lost_with_its_job_and_not_with_the_api_server(instance: DagsterInstance, tmp_path: Path) -> None:
    require("kubernetes")
    (tmp_path / "admin").write_text(kubectl("config", "view", "--raw", "-o", "json"))
    server = OwnApiServer(tmp_path)
    server.start()
    jobs = launcher(instance, server.kubeconfig(tmp_path / "admin"))
    job = f"dagster-run-{RUN.run_id}"
    try:
        kubectl("--namespace", "default", "create", "job", job, f"--image={IMAGE}", "--", "sleep", "60")
        assert jobs.check_run_worker_health(RUN).status is WorkerStatus.RUNNING
        server.kill()
        away = jobs.check_run_worker_health(RUN)
        assert away.status is WorkerStatus.RUNNING and "refused" in str(away.msg)
        server.start()
        kubectl("--namespace", "default", "delete", "job", job, "--cascade=foreground")
        gone = jobs.check_run_worker_health(RUN)
        assert gone.status is WorkerStatus.UNKNOWN and "could not be found" in str(gone.msg)
    finally:
        kubectl("--namespace", "default", "delete", "job", job, "--ignore-not-found")
        server.kill()
