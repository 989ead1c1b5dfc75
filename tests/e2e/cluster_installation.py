"""InfraAudit in the real cluster, installed by the commands of docs/operations.md from an image in the registry.

PostgreSQL is Debian's, on the node; the engine is the node's, reached over TCP as a remote one would be; the
repository is served by `git daemon`.
"""

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from examples.make_history import make_history
from infraaudit_domain.projects import Project
from infraaudit_domain.pushes import sign
from resources.dagster.api import DagsterApi
from resources.dagster.partitions import commits_of
from tests import ROOT
from tests.conftest import free_port, require
from tests.e2e.cluster_overlay import AUTHORITY, BASE, WITH_TOKEN, token_of, write_overlay
from tests.e2e.clusters import kubectl
from tests.e2e.node_services import git_daemon, relay
from tests.e2e.own_image import (
    OURS,
    PASSWORD,
    Dagster,
    Postgres,
    add_commit,
    docker,
    head,
    open_folder,
    running_postgres,
)
from tests.e2e.waiting import until

ROLES = ("code", "webserver", "daemon", "service", "watch")
PROJECT = "infraauditai"
SECRET = "what the forge signs pushes with"
REGISTRY = "127.0.0.1:5000/infraaudit-test/pipeline"


@contextmanager
def pushed(image: str) -> Iterator[str]:
    """An image of the engine in the registry, by digest, and forgotten by the engine, so that it has to pull it."""
    require("registry")
    tagged = f"{REGISTRY}:{image.rpartition(':')[2]}"
    docker("tag", image, tagged)
    docker("push", "--quiet", tagged)
    digests = json.loads(docker("image", "inspect", "--format", "{{json .RepoDigests}}", tagged))
    reference = next(digest for digest in digests if digest.startswith(REGISTRY))
    docker("rmi", tagged)
    yield reference
    docker("rmi", "--force", reference, check=False)


@dataclass(frozen=True)
class Cluster:
    """Where the test installs and delivers to, and the folder for what the node serves and keeps."""

    namespace: str
    shop: str
    node: str
    folder: Path

    @property
    def overlay(self) -> Path:
        return self.folder / "overlay"

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        return kubectl("--namespace", self.namespace, *words, stdin=stdin, check=check)

    def get(self, what: str, selector: str = "") -> list[dict[str, Any]]:
        """The objects of a kind that have the labels."""
        words = ("--selector", selector) if selector else ()
        return list(json.loads(self.kubectl("get", what, *words, "-o", "json"))["items"])

    def apply(self, *documents: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))

    def address(self, service: str) -> str:
        return self.kubectl("get", "service", f"infraaudit-{service}", "-o", "jsonpath={.spec.clusterIP}")

    def logs(self) -> str:
        """What there is, and what each role said last."""
        said = (self.kubectl("logs", f"deployment/infraaudit-{role}", "--tail=40", check=False) for role in ROLES)
        return "\n--- ".join([self.kubectl("get", "pods", check=False), *(one[-4000:] for one in said)])

    def rolled_out(self) -> None:
        """Wait until every role runs what was applied."""
        for role in ROLES:
            self.kubectl("rollout", "status", f"deployment/infraaudit-{role}", "--timeout=240s")


@contextmanager
def new_cluster() -> Iterator[Cluster]:
    """Two namespaces of the cluster, removed afterwards."""
    for part in ("engine", "kubernetes", "postgresql"):
        require(part)
    name = f"infraaudit-test-{uuid.uuid4().hex[:8]}"
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}")
    found = Cluster(name, f"{name}-shop", node, open_folder("kubernetes"))
    try:
        for namespace in (found.namespace, found.shop):
            kubectl("create", "namespace", namespace)
        yield found
    finally:
        for namespace in (found.shop, found.namespace):
            at_once = ("--all", "--force", "--grace-period=0", "--wait=false")
            # In this order: what makes pods anew goes before the pods.
            kubectl("--namespace", namespace, "delete", "deployments,replicasets,jobs,pods", *at_once, check=False)
            kubectl("delete", "namespace", namespace, "--wait=false", check=False)
        kubectl("delete", "persistentvolume", name, "--wait=false", check=False)
        until("the pods' end", lambda: not found.get("pods") or None, 60)
        shutil.rmtree(found.folder, ignore_errors=True)


@dataclass
class Installation(Dagster):
    cluster: Cluster
    postgres: Postgres
    repository: Path

    def push(self) -> str:
        """A commit to the watched branch, announced by the webhook."""
        before, sha = head(self.repository), add_commit(self.repository)
        assert self.announce(before, sha, SECRET) == httpx.codes.ACCEPTED
        return sha

    def announce(self, before: str, after: str, secret: str) -> int:
        """Send a push as GitHub does; the status of the answer."""
        body = json.dumps({"ref": "refs/heads/main", "before": before, "after": after}).encode()
        headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": str(uuid.uuid4()),
                   "X-Hub-Signature-256": f"sha256={sign(body, secret)}"}  # fmt: skip
        url = f"http://{self.cluster.address('service')}/webhooks/{PROJECT}"
        return httpx.post(url, content=body, headers=headers, timeout=60).status_code

    def pipeline_runs(self, sha: str) -> list[dict[str, Any]]:
        """The runs that a push of a commit led to; what is deployed is looked at by others every few minutes."""
        of_commit = (run for run in self.runs() if run["tags"].get("dagster/partition") == sha)
        return [run for run in of_commit if run["jobName"] == f"{PROJECT}_pipeline"]

    def messages(self, run: str) -> list[str]:
        """What the events of a run say."""
        events = "eventConnection { events { ... on MessageEvent { message } } }"
        found = self.ask(f'{{runOrError(runId: "{run}") {{ ... on Run {{ {events} }} }} }}')
        return [event["message"] for event in found["runOrError"]["eventConnection"]["events"]]

    def images(self, selector: str) -> set[str]:
        """The images that the chosen pods really run, as the engine names them; those that are on their way out aside."""
        pods = [pod for pod in self.cluster.get("pods", selector) if "deletionTimestamp" not in pod["metadata"]]
        states = [state for pod in pods for state in pod["status"]["containerStatuses"]]
        return {state["imageID"].removeprefix("docker-pullable://") for state in states}

    def audit(self, commits: int) -> tuple[list[str], int]:
        """Audit so many new commits at once; their SHAs, and how many runs were at work together at most.

        The sensor does not watch their branch: the audit half alone is what every commit needs.
        """
        shas = [add_commit(self.repository, branch="many") for _ in range(commits)]
        api, partitions = DagsterApi(self.url), commits_of(Project(PROJECT, "")).name or ""
        for sha in shas:
            api.launch(f"{PROJECT}_audit", partitions, sha, f"audit:{sha}", {})
        at_work: set[int] = set()

        def ended() -> bool | None:
            audits = [run["status"] for run in self.runs() if run["tags"].get("dagster/partition") in shas]
            assert "FAILURE" not in audits
            at_work.add(sum(status in ("STARTING", "STARTED") for status in audits))
            return audits.count("SUCCESS") == commits or None

        until(f"the end of {commits} audits", ended, 600)
        return shas, max(at_work)


@contextmanager
def installed(cluster: Cluster, image: str, at_once: int, poll_seconds: int) -> Iterator[Installation]:
    """An installation of an image, with so many runs at once."""
    repositories = cluster.folder / "repositories"
    make_history(repositories / f"{PROJECT}.git", commits=1)
    api = re.search(r"https://([\d.]+):(\d+)", kubectl("config", "view", "--minify"))
    assert api
    with (
        running_postgres(cluster.node, free_port(cluster.node)) as postgres,
        relay(cluster.node, (api[1], int(api[2]))) as api_port,
        relay(cluster.node, "/var/run/docker.sock") as engine_port,
        git_daemon(cluster.node, repositories) as git_url,
    ):
        database = f"postgresql+psycopg2://infraaudit@{cluster.node}:{postgres.port}"
        environment = {
            "INFRAAUDIT_DATABASE_URL": f"{database}/infraaudit",
            "INFRAAUDIT_DAGSTER_DATABASE_URL": f"{database}/dagster",
            "INFRAAUDIT_BASE_IMAGE": "infraaudit/base:bookworm",
            "INFRAAUDIT_POLL_SECONDS": str(poll_seconds),
            "DOCKER_HOST": f"tcp://{cluster.node}:{engine_port}",
            "KUBERNETES_SERVICE_HOST": cluster.node,
            "KUBERNETES_SERVICE_PORT": str(api_port),
        }
        project = {"name": PROJECT, "url": f"{git_url}/{PROJECT}.git", "default": True}
        project["environments"] = [{"name": "production", "namespace": cluster.shop}]
        _prepare(cluster, f"{api[1]}:{api[2]}")
        addresses = {f"infraaudit-{role}": cluster.address(role) for role in ("code", "webserver")}
        write_overlay(cluster.overlay, cluster.namespace, image, environment, project, addresses, at_once)
        kubectl("apply", "-k", str(cluster.overlay))
        cluster.rolled_out()
        url = f"http://{cluster.address('webserver')}"
        found = Installation(url, cluster, postgres, repositories / f"{PROJECT}.git")
        until("the webserver", found.answers, 60)
        yield found


def _prepare(cluster: Cluster, api: str) -> None:
    """What comes before `kubectl apply -k`: the state, the secrets, the right to deliver, tokens, and the Services."""
    state = cluster.folder / "state"
    state.mkdir()
    shutil.chown(state, OURS, OURS) if os.getuid() == 0 else state.chmod(0o777)
    secrets = {"PGPASSWORD": PASSWORD, "INFRAAUDIT_WEBHOOK_SECRETS": json.dumps({PROJECT: [SECRET]})}
    literals = (f"--from-literal={name}={value}" for name, value in secrets.items())
    cluster.kubectl("create", "secret", "generic", "infraaudit-secrets", *literals)
    kubectl("--namespace", cluster.shop, "apply", "-f", str(ROOT / "configs/kubernetes/role.yaml"))
    account = f"--serviceaccount={cluster.namespace}:infraaudit-run"
    kubectl("--namespace", cluster.shop, "create", "rolebinding", "infraaudit-run", "--role=infraaudit", account)
    words = ["openssl", "s_client", "-showcerts", "-connect", api]
    shown = subprocess.run(words, input="", capture_output=True, text=True, check=True).stdout
    chain = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", shown, re.DOTALL)
    cluster.kubectl("create", "configmap", AUTHORITY, "--from-literal=ca.crt=" + "\n".join([*chain, ""]))
    for role in WITH_TOKEN:
        cluster.kubectl("create", "serviceaccount", f"infraaudit-{role}")
        cluster.apply(token_of(role))
    for document in yaml.safe_load_all(kubectl("kustomize", str(BASE))):
        if document["kind"] == "Service":
            del document["metadata"]["namespace"]
            cluster.apply(document)
