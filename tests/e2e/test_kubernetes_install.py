"""InfraAudit installed from configs/kubernetes/infraaudit in the real cluster, with its own image.

The test cluster has no DNS, no storage class, no certificate authority in its tokens, and an API server on 127.0.0.1:
an overlay gives addresses instead of names, a folder of the node, and a relay. PostgreSQL is Debian's, on the node;
the engine is the node's, reached over TCP as a remote one would be; the repository is served by `git daemon`.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.make_history import make_history
from infraaudit_assets.assets import commits_of
from infraaudit_assets.domain.projects import Project
from resources.dagster_api import DagsterApi
from tests.conftest import require
from tests.e2e.clusters import kubectl
from tests.e2e.own_image import (
    OURS,
    PASSWORD,
    ROOT,
    Dagster,
    Postgres,
    add_commit,
    build_image,
    head,
    open_folder,
    running_postgres,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
BASE = ROOT / "configs/kubernetes/infraaudit"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ROLES = ("code", "webserver", "daemon", "service")
AT_ONCE = int(os.environ.get("INFRAAUDIT_TEST_RUNS_AT_ONCE", "2"))


def free_port(host: str) -> int:
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def relay(host: str, target: tuple[str, int] | str) -> Iterator[int]:
    """A port on the node that leads to an address, or to a Unix socket, of this machine."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.socket(socket.AF_UNIX if isinstance(target, str) else socket.AF_INET)
                far.connect(target)
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server((host, 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])


@contextlib.contextmanager
def git_daemon(host: str, folder: Path) -> Iterator[str]:
    port = free_port(host)
    words = [f"--base-path={folder}", "--export-all", f"--listen={host}", f"--port={port}", "--reuseaddr", str(folder)]
    environment = os.environ | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    daemon = subprocess.Popen(["git", "daemon", *words], env=environment, start_new_session=True)
    try:
        yield f"git://{host}:{port}"
    finally:
        os.killpg(daemon.pid, 9)  # git hands on that SIGTERM is ignored, where it is here
        daemon.wait()


@dataclass
class Cluster:
    """Where the test installs, and the addresses that stand for what a real cluster has names for."""

    namespace: str
    shop: str
    node: str
    folder: Path

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        return kubectl("--namespace", self.namespace, *words, stdin=stdin, check=check)

    def apply(self, *documents: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))

    def address(self, service: str) -> str:
        return self.kubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    for part in ("engine", "kubernetes", "postgresql"):
        require(part)
    name = f"infraaudit-test-{uuid.uuid4().hex[:8]}"
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}")
    folder = open_folder("kubernetes")
    found = Cluster(name, f"{name}-shop", node, folder)
    try:
        for namespace in (found.namespace, found.shop):
            kubectl("create", "namespace", namespace)
        yield found
    finally:
        for namespace in (found.shop, found.namespace):
            words = ("delete", "deployments,jobs,pods", "--all", "--force", "--grace-period=0", "--wait=false")
            kubectl("--namespace", namespace, *words, check=False)
            kubectl("delete", "namespace", namespace, "--wait=false", check=False)
        kubectl("delete", "persistentvolume", name, "--wait=false", check=False)
        until("the pods' end", lambda: "No resources" in _pods(found.namespace) or None, 60)
        shutil.rmtree(folder, ignore_errors=True)


def _pods(namespace: str) -> str:
    words = ["kubectl", "--namespace", namespace, "get", "pods"]
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


@dataclass
class Installation(Dagster):
    cluster: Cluster
    postgres: Postgres
    repository: Path


@pytest.fixture(scope="module")
def installation(cluster: Cluster) -> Iterator[Installation]:
    image = build_image()
    repositories = cluster.folder / "repositories"
    make_history(repositories / "infraauditai.git", commits=1)
    api = re.search(r"https://([\d.]+):(\d+)", kubectl("config", "view", "--minify"))
    assert api
    with (
        running_postgres(cluster.node, free_port(cluster.node)) as postgres,
        relay(cluster.node, (api[1], int(api[2]))) as api_port,
        relay(cluster.node, "/var/run/docker.sock") as engine_port,
        git_daemon(cluster.node, repositories) as git_url,
    ):
        environment = {
            "INFRAAUDIT_IMAGE": image,
            "INFRAAUDIT_DATABASE_URL": f"postgresql+psycopg2://infraaudit@{cluster.node}:{postgres.port}/infraaudit",
            "INFRAAUDIT_DAGSTER_DATABASE_URL": f"postgresql+psycopg2://infraaudit@{cluster.node}:{postgres.port}/dagster",
            "INFRAAUDIT_BASE_IMAGE": "infraaudit/base:bookworm",
            "INFRAAUDIT_POLL_SECONDS": "5",
            "DOCKER_HOST": f"tcp://{cluster.node}:{engine_port}",
            "KUBERNETES_SERVICE_HOST": cluster.node,
            "KUBERNETES_SERVICE_PORT": str(api_port),
        }
        project = {"name": "infraauditai", "url": f"{git_url}/infraauditai.git", "default": True}
        project["environments"] = [{"name": "production", "namespace": cluster.shop}]
        _install(cluster, image, environment, {"projects": [project]}, (api[1], int(api[2])))
        try:
            for role in ROLES:
                cluster.kubectl("rollout", "status", f"deployment/infraaudit-{role}", "--timeout=240s")
            url = f"http://{cluster.address('infraaudit-webserver')}"
            found = Installation(url, cluster, postgres, repositories / "infraauditai.git")
            until("the webserver", found.answers, 60)
            yield found
        finally:
            print(_pods(cluster.namespace))
            for role in ROLES:
                words = ("logs", f"deployment/infraaudit-{role}", "--tail=40")
                print(f"--- {role}", cluster.kubectl(*words, check=False)[-4000:])


def _install(
    cluster: Cluster, image: str, environment: dict[str, str], projects: dict[str, Any], api: tuple[str, int]
) -> None:
    """What docs/operations.md says, with an overlay for what this cluster lacks."""
    state = cluster.folder / "state"
    state.mkdir()
    shutil.chown(state, OURS, OURS) if os.getuid() == 0 else state.chmod(0o777)
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "infraaudit-secrets"},
                   "stringData": {"PGPASSWORD": PASSWORD}})  # fmt: skip
    kubectl("--namespace", cluster.shop, "apply", "-f", str(ROOT / "configs/kubernetes/role.yaml"))
    account = f"--serviceaccount={cluster.namespace}:infraaudit-run"
    kubectl("--namespace", cluster.shop, "create", "rolebinding", "infraaudit-run", "--role=infraaudit", account)
    _make_accounts(cluster, api)
    documents = _overlay(cluster, image, environment, projects)
    cluster.apply(*(document for document in documents if document["kind"] != "Deployment"))
    aliases = [{"ip": cluster.address(f"infraaudit-{name}"), "hostnames": [f"infraaudit-{name}"]}
               for name in ("code", "webserver")]  # fmt: skip
    deployments = [document for document in documents if document["kind"] == "Deployment"]
    for deployment in deployments:
        deployment["spec"]["template"]["spec"]["hostAliases"] = aliases
    cluster.apply(*deployments)


def _make_accounts(cluster: Cluster, api: tuple[str, int]) -> None:
    """The certificate authority, which this cluster does not put beside its tokens."""
    words = ["openssl", "s_client", "-showcerts", "-connect", f"{api[0]}:{api[1]}"]
    shown = subprocess.run(words, input="", capture_output=True, text=True, check=True).stdout
    chain = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", shown, re.DOTALL)
    certificates = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "test-ca"}}
    cluster.apply(certificates | {"data": {"ca.crt": "\n".join(chain) + "\n"}})
    for role in ("webserver", "daemon", "run"):
        name = f"infraaudit-{role}"
        metadata = {"name": f"{name}-token", "annotations": {"kubernetes.io/service-account.name": name}}
        cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
                      {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
                       "metadata": metadata})  # fmt: skip


def _account_volume(role: str) -> tuple[dict[str, Any], dict[str, Any]]:
    secret = {
        "name": f"infraaudit-{role}-token",
        "items": [{"key": key, "path": key} for key in ("token", "namespace")],
    }
    volume = {"name": "account", "projected": {"sources": [{"secret": secret}, {"configMap": {"name": "test-ca"}}]}}
    return volume, {"name": "account", "mountPath": ACCOUNT, "readOnly": True}


def _overlay(
    cluster: Cluster, image: str, environment: dict[str, str], projects: dict[str, Any]
) -> list[dict[str, Any]]:
    """The base rendered by kustomize, with the addresses of this machine in it."""
    instance = yaml.safe_load((BASE / "dagster.yaml").read_text())
    volume, mount = _account_volume("run")
    launcher = instance["run_launcher"]["config"]
    launcher["volumes"].append(volume)
    launcher["volume_mounts"].append(mount)
    launcher["resources"]["requests"] = {"cpu": "10m", "memory": "100Mi"}
    instance["concurrency"]["runs"]["max_concurrent_runs"] = AT_ONCE
    overlay = cluster.folder / "overlay"
    shutil.copytree(BASE, overlay / "base")
    (overlay / "dagster.yaml").write_text(json.dumps(instance))
    (overlay / "projects.yaml").write_text(json.dumps(projects))
    name, tag = image.rsplit(":", 1)
    kustomization = {
        "resources": ["base"],
        "namespace": cluster.namespace,
        "images": [{"name": "infraaudit/pipeline", "newName": name, "newTag": tag}],
        "generatorOptions": {"disableNameSuffixHash": True},
        "configMapGenerator": [
            {"name": "infraaudit-environment", "behavior": "merge",
             "literals": [f"{key}={value}" for key, value in environment.items()]},
            {"name": "infraaudit-dagster", "behavior": "merge", "files": ["dagster.yaml"]},
            {"name": "infraaudit-projects", "behavior": "merge", "files": ["projects.yaml"]},
        ],
    }  # fmt: skip
    (overlay / "kustomization.yaml").write_text(json.dumps(kustomization))
    rendered = kubectl("kustomize", str(overlay))
    # This cluster is older than policy/v1.
    documents = list(yaml.safe_load_all(rendered.replace("policy/v1\n", "policy/v1beta1\n")))
    return [_placed(cluster, document) for document in documents if document["kind"] != "Namespace"] + [
        {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": cluster.namespace},
            "spec": {"capacity": {"storage": "50Gi"}, "accessModes": ["ReadWriteMany"], "storageClassName": "",
                     "hostPath": {"path": str(cluster.folder / "state")},
                     "claimRef": {"namespace": cluster.namespace, "name": "infraaudit-state"}},
        }
    ]  # fmt: skip


def _placed(cluster: Cluster, document: dict[str, Any]) -> dict[str, Any]:
    if document["kind"] == "PersistentVolumeClaim":
        document["spec"] |= {"storageClassName": "", "volumeName": cluster.namespace}
    if document["kind"] == "Deployment":
        pod = document["spec"]["template"]["spec"]
        container = pod["containers"][0]
        container["resources"]["requests"] = {"cpu": "10m", "memory": "100Mi"}
        if pod["automountServiceAccountToken"]:
            volume, mount = _account_volume(container["name"])
            pod["volumes"].append(volume)
            container["volumeMounts"].append(mount)
    return document


def test_a_push_becomes_a_job_that_deploys_the_application(installation: Installation) -> None:
    cluster, sha = installation.cluster, head(installation.repository)
    run = until("the run's end", lambda: installation.run_of(sha, "SUCCESS", "FAILURE", "CANCELED"), 180)
    assert run["status"] == "SUCCESS", installation.why(run["runId"])
    succeeded = ("get", "job", f"dagster-run-{run['runId']}", "-o", "jsonpath={.status.succeeded}")
    until("the success of the run's Job", lambda: cluster.kubectl(*succeeded) == "1" or None, 60)
    live = json.loads(kubectl("--namespace", cluster.shop, "get", "deployment", "infraauditai", "-o", "json"))
    assert live["metadata"]["annotations"]["infraaudit/commit"] == sha
    assert live["status"]["availableReplicas"] == live["spec"]["replicas"]
    deployed = "SELECT sha, outcome FROM deployments"
    assert installation.postgres.query("infraaudit", deployed) == f"{sha}|deployed"


def test_a_run_whose_pod_is_killed_fails_and_is_started_once_more(installation: Installation) -> None:
    sha = add_commit(installation.repository)
    run = until("the run's start", lambda: installation.run_of(sha, "STARTED"), 90)
    pods = ("pods", "--selector", f"dagster/run-id={run['runId']}")
    installation.cluster.kubectl("delete", *pods, "--force", "--grace-period=0")
    failed = until("the end of a run without its pod", lambda: installation.run_of(sha, "FAILURE"), 90)
    assert failed["runId"] == run["runId"]
    again = until("the end of its second run", lambda: installation.run_of(sha, "SUCCESS"), 150)
    assert again["tags"]["dagster/parent_run_id"] == run["runId"]


def test_twenty_commits_at_once_are_worked_off_with_the_configured_concurrency(installation: Installation) -> None:
    # The sensor does not watch this branch: the audit half alone, which every commit needs, keeps the test short.
    shas = [add_commit(installation.repository, branch="many") for _ in range(20)]
    api, partitions = DagsterApi(installation.url), commits_of(Project("infraauditai", "")).name or ""
    for sha in shas:
        api.launch("infraauditai_audit", partitions, sha, f"audit:{sha}", {})
    at_work: set[int] = set()

    def ended() -> bool | None:
        audits = [run["status"] for run in installation.runs() if run["jobName"].endswith("_audit")]
        at_work.add(sum(status in ("STARTING", "STARTED") for status in audits))
        return audits.count("SUCCESS") + audits.count("FAILURE") == len(shas) or None

    began = time.monotonic()
    until("the end of twenty audits", ended, 400)
    sizes = {
        name: installation.postgres.query(name, f"SELECT pg_database_size('{name}')")
        for name in ("dagster", "infraaudit")
    }
    print(f"20 audits, {AT_ONCE} at a time: {time.monotonic() - began:.0f} s; bytes: {sizes}")
    assert max(at_work) == AT_ONCE
    scanned = installation.postgres.query("infraaudit", "SELECT DISTINCT sha FROM scans WHERE status = 'complete'")
    assert set(shas) <= set(scanned.split())
