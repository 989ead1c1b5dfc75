"""Releases as containers of a real engine: started, probed, swapped, kept when the next one fails."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.delivery.images import Image
from resources.engine import Engine
from resources.targets.container.pod import pod_labels
from resources.targets.container.target import ContainerTarget
from tests.resources.engines import PROJECT, build

APP = """
import http.server, os, pathlib, sys, time
def say(*words): print(*words, flush=True)
say("started", os.environ.get("VERSION"), os.getuid())
if os.environ.get("CRASH"): print("no database", file=sys.stderr); sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        files = [p.read_text() for p in pathlib.Path("/config").glob("*")] if os.path.isdir("/config") else []
        bad = self.path == "/readyz" and os.environ.get("NEVER")
        self.send_response(503 if bad else 200); self.end_headers()
        self.wfile.write(f"{os.environ.get('VERSION')} {os.getuid()} {files}".encode())
    def log_message(self, *words): say("request", self.path)
server = http.server.ThreadingHTTPServer(("", 8080), Handler)
import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server.serve_forever()
"""
DOCKERFILE = 'ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n'


def manifests(image: str, env: dict[str, str], **pod: object) -> str:
    container: dict[str, object] = {
        "name": "app",
        "image": image,
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 2},
        "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
        "securityContext": {"runAsUser": 10001, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 3, **pod}
    spec["volumes"] = [{"name": "config", "configMap": {"name": "settings"}}]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app"},
        "spec": {"progressDeadlineSeconds": 8, "template": {"metadata": {"labels": {"app": "a"}}, "spec": spec}},
    }
    service = {"kind": "Service", "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": "http"}]}}
    config = {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "green"}}
    return yaml.safe_dump_all([config, service, deployment])


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(engine, tmp_path_factory.mktemp("image"), {"Dockerfile": DOCKERFILE, "app.py": APP})


@pytest.fixture
def target(engine: Engine, tmp_path: Path) -> Iterator[ContainerTarget]:
    found = ContainerTarget(engine, tmp_path / "containers")
    yield found
    found.remove(PROJECT, "production")


@pytest.fixture
def release(image: Image) -> Callable[..., Release]:
    def make(version: str, **env: str) -> Release:
        text = manifests(image.image_id, {"VERSION": version, **env})
        return Release(PROJECT, "production", version * 40, image.image_id, text)

    return make


def _get(url: str | None) -> str:
    assert url is not None
    with urllib.request.urlopen(url, timeout=3) as answer:
        return str(answer.read().decode())


def _deploy(target: ContainerTarget, release: Release) -> Rollout:
    return target.deploy(release, timeout=30, on_progress=lambda line: None)


def _running(target: ContainerTarget) -> list[str]:
    return target.engine.containers(pod_labels(PROJECT, "production"))


def test_first_again_upgrade_and_a_failure_that_changes_nothing(
    target: ContainerTarget, release: Callable[..., Release]
) -> None:
    assert not target.probe(PROJECT, "production").healthy
    first = _deploy(target, release("1"))
    assert first.healthy, first
    assert _get(first.url) == "1 10001 ['green']"
    names = _running(target)
    again = _deploy(target, release("1"))
    assert again.healthy and again.url == first.url and _running(target) == names, "the same release is left alone"

    failures: list[str] = []
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            try:
                _get(target.probe(PROJECT, "production").url)
            except OSError as error:
                failures.append(str(error))

    second = _deploy(target, release("2"))
    assert second.healthy and second.url != first.url and _get(second.url).startswith("2 ")
    assert target.live(PROJECT, "production") == "2" * 40 and len(_running(target)) == 1

    watching = threading.Thread(target=client)
    watching.start()
    soon = release("3", NEVER="1")
    soon = replace(soon, manifests=soon.manifests.replace("progressDeadlineSeconds: 8", "progressDeadlineSeconds: 4"))
    never = _deploy(target, soon)
    stop.set()
    watching.join()
    assert not never.healthy and "GET /readyz on port 8080 answers 503" in never.reason
    assert "started 3 10001" in dict(never.details)["log of app"]
    assert not failures and _get(second.url).startswith("2 ") and len(_running(target)) == 1
    back = _deploy(target, release("2"))
    assert back.healthy and back.url == second.url


def test_a_crash_loop_is_seen_early_with_its_last_words(
    target: ContainerTarget, release: Callable[..., Release]
) -> None:
    rollout = _deploy(target, release("1", CRASH="1"))
    assert not rollout.healthy and "crashes again and again" in rollout.reason and "no database" in rollout.reason
    assert "exit code 3" in rollout.reason or target.engine.name == "podman"
    assert not _running(target)


def test_what_cannot_run_here_is_an_unhealthy_rollout(
    target: ContainerTarget, release: Callable[..., Release], image: Image
) -> None:
    good = release("1")
    missing = Release(PROJECT, "production", "4" * 40, "x", good.manifests.replace(image.image_id, "infraaudit/none:0"))
    assert "failed" in _deploy(target, missing).reason
    root = good.manifests.replace("runAsUser: 10001", "runAsNonRoot: true")
    assert "runs as root" in _deploy(target, Release(PROJECT, "production", "5" * 40, "x", root)).reason
    host = good.manifests.replace("terminationGracePeriodSeconds: 3", "hostNetwork: true")
    assert "hostNetwork" in _deploy(target, Release(PROJECT, "production", "6" * 40, "x", host)).reason
    assert not _running(target)


def test_a_killed_rollout_is_taken_up_and_the_live_one_survives_us(
    target: ContainerTarget, release: Callable[..., Release], tmp_path: Path
) -> None:
    one = release("1")
    (tmp_path / "release.yaml").write_text(one.manifests)
    code = (
        "import sys, pathlib, time\nfrom resources.targets.container.target import ContainerTarget\n"
        "from resources.engine import detect_engine\nfrom infraaudit_domain.delivery.deployments import Release\n"
        f"text = pathlib.Path({str(tmp_path / 'release.yaml')!r}).read_text()\n"
        f"release = Release({PROJECT!r}, 'production', {one.sha!r}, {one.image!r}, text)\n"
        f"target = ContainerTarget(detect_engine({target.engine.name!r}), pathlib.Path({str(target.state)!r}))\n"
        "target.deploy(release, timeout=30, on_progress=lambda line: time.sleep(60) if 'GET' in line else None)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.getcwd()})
    deadline = time.monotonic() + 20
    while not target.engine.containers(pod_labels(PROJECT, "production"), running_only=True):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    created = target.engine.inspect("container", _running(target)[0])
    assert _deploy(target, one).healthy
    taken_up = target.engine.inspect("container", _running(target)[0])
    assert created is not None and taken_up is not None and created["Id"] == taken_up["Id"]


def test_logs_come_once_each_in_order(target: ContainerTarget, release: Callable[..., Release]) -> None:
    rollout = _deploy(target, release("1"))
    for _ in range(3):
        _get(rollout.url)
    time.sleep(0.3)
    lines = list(target.logs(PROJECT, "production", None))
    assert lines[0].text == "started 1 10001" and {line.sha for line in lines} == {"1" * 40}
    assert [line.text for line in lines].count("request /") == 3
    assert list(target.logs(PROJECT, "production", lines[-1].time)) == []
    _get(f"{rollout.url}/more")
    time.sleep(0.3)
    assert [line.text for line in target.logs(PROJECT, "production", lines[-1].time)] == ["request /more"]
