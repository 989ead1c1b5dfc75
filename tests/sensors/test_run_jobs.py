"""A run's Job is asked for while the API server is away, and when it is gone."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.launcher.base import WorkerStatus

from sensors.run_jobs import RunJobs
from tests.conftest import free_port

RUN = DagsterRun(
    job_name="shop_pipeline", run_id="0d5a4f5e-0000-4000-8000-000000000001", status=DagsterRunStatus.STARTED
)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def launcher(instance: DagsterInstance, folder: Path, port: int) -> RunJobs:
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {"clusters": [cluster], "contexts": [context], "current-context": "x", "users": [{"name": "u", "user": {}}]}
        )
    )
    made = RunJobs(
        service_account_name="run", instance_config_map="dagster", dagster_home="/", job_image="image",
        load_incluster_config=False, kubeconfig_file=str(kubeconfig),
    )  # fmt: skip
    made.register_instance(instance)
    return made


@pytest.fixture
def without_jobs() -> Iterator[int]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}'
            self.send_response(404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_run_goes_on_while_the_api_server_does_not_answer(instance: DagsterInstance, tmp_path: Path) -> None:
    found = launcher(instance, tmp_path, free_port()).check_run_worker_health(RUN)
    assert found.status is WorkerStatus.RUNNING and "refused" in str(found.msg)


def test_a_run_whose_job_is_gone_is_lost(instance: DagsterInstance, tmp_path: Path, without_jobs: int) -> None:
    found = launcher(instance, tmp_path, without_jobs).check_run_worker_health(RUN)
    assert found.status is WorkerStatus.UNKNOWN and "could not be found" in str(found.msg)
