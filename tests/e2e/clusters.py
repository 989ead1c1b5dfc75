"""A namespace of the real cluster for one test, entered with the token of configs/kubernetes/role.yaml, never as admin.

Any cluster will do that KUBECONFIG logs in to as admin and whose nodes have IMAGE; for example kind:
``kind create cluster``, ``kind load docker-image infraaudit/base:bookworm``.
"""

import base64
import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infraaudit.deploying.analysing import Analyser
from infraaudit.deploying.deploy import deploy
from infraaudit_domain.delivery.deployments import Deployment, Release
from infraaudit_domain.kubernetes.manifest_policy import ManifestPolicy
from infraaudit_domain.kubernetes.manifests import render_manifests
from resources.git.mirror import Mirror
from resources.history import History, open_history
from resources.targets.cluster import KubernetesTarget, connect
from tests import ROOT
from tests.conftest import require
from tests.e2e.waiting import eventually

ROLE = ROOT / "configs/kubernetes/role.yaml"
IMAGE = "infraaudit/base:bookworm"
SHAS = [digit * 40 for digit in "0123456789abcdef"]

SERVER = """
import http.server, signal, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    def do_GET(self):
        self.send_response(READY if self.path == "/readyz" else 200); self.end_headers(); self.wfile.write(b"VERSION")
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("", 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving VERSION", flush=True)
server.serve_forever()
"""
HEALTHY = SERVER.replace("READY", "200")
NEVER_READY = SERVER.replace("READY", "503")
CRASHING = "import sys; print('the reason is a missing table', flush=True); sys.exit(3)"


def kubectl(*words: str, stdin: str | None = None, check: bool = True) -> str:
    done = subprocess.run(["kubectl", *words], input=stdin, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def manifests(program: str, replicas: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """A Deployment that runs a Python program, and its Service."""
    container = {
        "name": "web",
        "image": "replaced",
        "command": ["python3", "-u", "-c", program],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 5},
    }
    pod = {"containers": [container], "terminationGracePeriodSeconds": 2, "automountServiceAccountToken": False}
    labels = {"app": "web"}
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas, "progressDeadlineSeconds": 90, "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }  # fmt: skip
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    service["spec"] = {"selector": labels, "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]}
    deployment["spec"]["template"]["spec"] |= changes.pop("pod", {})
    deployment["spec"] |= changes
    return [deployment, service]


def serving_to_the_end(program: str) -> list[dict[str, Any]]:
    """Two replicas whose endpoints are taken away while they still serve; without the pause requests would be lost."""
    deployment, service = manifests(program, replicas=2, pod={"terminationGracePeriodSeconds": 6})
    pause = {"preStop": {"exec": {"command": ["sleep", "3"]}}}
    deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = pause
    return [deployment, service]


def release(
    number: int,
    documents: list[dict[str, Any]],
    namespace: str,
    image: str = IMAGE,
    uses: frozenset[str] = frozenset(),
    policy: ManifestPolicy | None = None,
) -> Release:
    sha = SHAS[number]
    rendered = render_manifests(
        [("a.yaml", document) for document in documents],
        project="shop", sha=sha, environment="production", namespace=namespace, image=image, uses=uses,
        policy=policy or ManifestPolicy(),
    )  # fmt: skip
    return Release("shop", "production", sha, image, yaml.safe_dump_all(rendered, sort_keys=False))


@dataclass
class Namespace:
    """A namespace, and what was delivered to it so far."""

    name: str
    kubeconfig: Path
    folder: Path
    progress: list[str] = field(default_factory=list)
    uses: frozenset[str] = frozenset()

    @property
    def history(self) -> History:
        return open_history(f"sqlite:///{self.folder}/history.db")

    @property
    def live(self) -> Deployment | None:
        return self.history.live("shop", "production")

    def target(self, **options: Any) -> KubernetesTarget:
        return KubernetesTarget(connect(self.kubeconfig), self.name, **options)

    def deliver(self, number: int, documents: list[dict[str, Any]], *, image: str = IMAGE, timeout: float = 180,
                target: KubernetesTarget | None = None, soak: float = 0,
                policy: ManifestPolicy | None = None, analyse: Analyser | None = None) -> Deployment:  # fmt: skip
        """Deliver commit ``number`` of a straight history as the asset does; the mirror has lost its commits."""
        return deploy(
            self.history,
            Mirror("/nowhere", self.folder / "mirrors" / "shop"),
            target or self.target(),
            replace(release(number, documents, self.name, image, self.uses, policy), soak=soak),
            superseded=lambda live: "the newer commit" if SHAS.index(live.sha) > number else "",
            timeout=timeout,
            on_progress=self.progress.append,
            analyse=analyse,
        )

    def get(self, what: str) -> dict[str, Any]:
        return dict(json.loads(kubectl("--namespace", self.name, "get", what, "-o", "json")))

    def running_versions(self) -> set[str]:
        """The commits of the pods that are ready and stay."""
        pods = [pod for pod in self.get("pods")["items"] if "deletionTimestamp" not in pod["metadata"]]
        ready = [pod for pod in pods if all(c["ready"] for c in pod["status"].get("containerStatuses", [{"ready": 0}]))]
        return {pod["metadata"]["annotations"]["infraaudit/commit"] for pod in ready}


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Namespace]:
    require("kubernetes")
    with new_namespace(tmp_path) as found:
        yield found


@contextmanager
def new_namespace(folder: Path) -> Iterator[Namespace]:
    """A namespace with the Role in it, removed afterwards."""
    name = f"infraaudit-test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        kubectl("--namespace", name, "apply", "-f", str(ROLE))
        yield Namespace(name, _kubeconfig_of_role(name, folder / "kubeconfig"), folder)
    finally:
        at_once = ("--all", "--force", "--grace-period=0", "--wait=false")
        kubectl("--namespace", name, "delete", "pods", *at_once, check=False)
        kubectl("delete", "namespace", name, "--wait=false", check=False)


def _kubeconfig_of_role(namespace: str, path: Path) -> Path:
    """A kubeconfig whose user is the Role's ServiceAccount."""
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "infraaudit-token", "annotations": {"kubernetes.io/service-account.name": "infraaudit"}},
    }  # fmt: skip
    kubectl("--namespace", namespace, "apply", "-f", "-", stdin=json.dumps(secret))
    found: dict[str, Any] = {}

    def token() -> bool:
        found.update(json.loads(kubectl("--namespace", namespace, "get", "secret", "infraaudit-token", "-o", "json")))
        return "token" in found.get("data", {})

    eventually(token)
    admin = json.loads(kubectl("config", "view", "--minify", "--raw", "-o", "json"))
    user = {"name": "role", "user": {"token": base64.b64decode(found["data"]["token"]).decode()}}
    context = {"name": "role", "context": {"cluster": admin["clusters"][0]["name"], "user": "role"}}
    path.write_text(json.dumps(admin | {"users": [user], "contexts": [context], "current-context": "role"}))
    return path
