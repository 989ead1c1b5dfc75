"""Deliveries to the real cluster, with the rights of the Role alone: what is healthy stays, whatever a commit brings."""

import http.server
import itertools
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infraaudit_assets.domain.deployments import Outcome
from infraaudit_assets.domain.errors import ClusterError, ClusterUnavailableError, RejectedByClusterError
from resources.cluster import KubernetesTarget, connect, connection, observe
from resources.cluster import target as cluster_target
from resources.cluster.connection import translated
from resources.log_store import LogStore
from tests.e2e.clusters import (
    CRASHING,
    HEALTHY,
    IMAGE,
    NEVER_READY,
    SHAS,
    OwnApiServer,
    Place,
    eventually,
    kubectl,
    manifests,
    new_place,
    place,
    release,
    serving_to_the_end,
)  # fmt: skip

pytestmark = pytest.mark.e2e
__all__ = ["place"]


def test_first_deployment_then_nothing_to_do_then_upgrade(place: Place) -> None:
    first = place.deliver(1, manifests(HEALTHY))
    assert (first.outcome, first.replaced_sha) == (Outcome.DEPLOYED, None), first.reason
    assert first.url and urllib.request.urlopen(first.url, timeout=5).read() == b"VERSION"
    generation = place.get("deployment/web")["metadata"]["generation"]
    started = time.monotonic()
    assert place.deliver(1, manifests(HEALTHY)).outcome is Outcome.DEPLOYED
    assert place.get("deployment/web")["metadata"]["generation"] == generation
    assert time.monotonic() - started < 10
    second = place.deliver(2, manifests(HEALTHY))
    assert (second.outcome, second.replaced_sha) == (Outcome.DEPLOYED, SHAS[1])
    assert place.running_versions() == {SHAS[2]}
    assert place.target().probe("shop", "production").healthy


def test_a_crash_loop_is_seen_before_the_deadline_and_rolled_back(place: Place) -> None:
    place.deliver(1, manifests(HEALTHY))
    started = time.monotonic()
    bad = place.deliver(2, manifests(CRASHING), timeout=120)
    assert bad.outcome is Outcome.ROLLED_BACK
    assert time.monotonic() - started < 28, "the progress deadline is 30 s"
    assert "CrashLoopBackOff: exit code 3" in bad.reason and "the reason is a missing table" in bad.reason
    assert place.running_versions() == {SHAS[1]}
    assert place.live and place.live.sha == SHAS[1]


def test_an_image_that_cannot_be_pulled_is_rolled_back(place: Place) -> None:
    place.deliver(1, manifests(HEALTHY))
    bad = place.deliver(2, manifests(HEALTHY), image="127.0.0.1:1/none@sha256:" + "0" * 64, timeout=120)
    assert bad.outcome is Outcome.ROLLED_BACK and "ImagePullBackOff" in bad.reason
    assert place.running_versions() == {SHAS[1]}


def test_what_never_becomes_ready_and_what_no_node_can_take(place: Place) -> None:
    assert place.deliver(1, manifests(NEVER_READY), timeout=6).outcome is Outcome.FAILED
    greedy = manifests(HEALTHY)
    greedy[0]["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "900"}}
    bad = place.deliver(2, greedy, target=place.target(unschedulable_seconds=2))
    assert bad.outcome is Outcome.FAILED and "unschedulable: 0/1 nodes are available" in bad.reason


def test_a_rollback_that_fails_too_is_degraded(place: Place) -> None:
    place.deliver(1, manifests(HEALTHY))
    assert place.live
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    place.get("deployment/web")
    kubectl("--namespace", place.namespace, "apply", "-f", "-", stdin=str(quota).replace("'", '"'))
    eventually(lambda: _no_pod_is_left(place))
    bad = place.deliver(2, manifests(HEALTHY), timeout=20)
    assert bad.outcome is Outcome.DEGRADED
    assert "exceeded quota" in bad.reason and f"rollback to {SHAS[1][:12]} failed too" in bad.reason


def _no_pod_is_left(place: Place) -> bool:
    """Whether the quota holds: until the API server has seen it, what is deleted comes back."""
    kubectl("--namespace", place.namespace, "delete", "pods", "--all", "--grace-period=1")
    [replica_set] = place.get("replicasets")["items"]
    refused = [one["message"] for one in replica_set["status"].get("conditions", ()) if "quota" in one["message"]]
    return bool(refused) and not place.get("pods")["items"]


def test_an_older_commit_is_superseded_and_changes_nothing(place: Place) -> None:
    place.deliver(3, manifests(HEALTHY))
    before = place.get("deployment/web")["metadata"]["generation"]
    assert place.deliver(2, manifests(CRASHING)).outcome is Outcome.SUPERSEDED
    assert place.get("deployment/web")["metadata"]["generation"] == before


def test_two_machines_at_once_deliver_one_after_the_other(place: Place) -> None:
    """Two lock files stand for two machines: only the Lease is between them."""
    other = Place(place.namespace, place.kubeconfig, place.folder / "other")
    place.deliver(1, manifests(HEALTHY))
    other.live = place.live
    threads = [
        threading.Thread(target=one.deliver, args=(number, manifests(HEALTHY)))
        for one, number in ((place, 2), (other, 3))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any("waiting for" in line for line in [*place.progress, *other.progress])
    spans = sorted((one.live.started_at, one.live.finished_at) for one in (place, other) if one.live)
    assert spans[0][1] <= spans[1][0]


def test_a_schema_fault_and_a_foreign_field_change_nothing(place: Place) -> None:
    place.deliver(1, manifests(HEALTHY))
    wrong = place.deliver(2, manifests(HEALTHY, selector={"matchLabels": {"app": "other"}}))
    assert wrong.outcome is Outcome.FAILED and "Nothing was changed" in wrong.reason and "selector" in wrong.reason
    unknown = place.deliver(2, manifests(HEALTHY, replicasss=3))
    assert unknown.outcome is Outcome.FAILED and "replicasss" in unknown.reason
    kubectl("--namespace", place.namespace, "patch", "deployment/web", "--patch", '{"spec": {"replicas": 2}}')
    conflict = place.deliver(2, manifests(HEALTHY))
    assert conflict.outcome is Outcome.FAILED and "conflict" in conflict.reason
    eventually(lambda: place.running_versions() == {SHAS[1]})
    assert place.deliver(2, manifests(HEALTHY), target=place.target(force=True)).outcome is Outcome.DEPLOYED


def test_the_role_reaches_no_other_namespace(place: Place) -> None:
    elsewhere = KubernetesTarget(connect(place.kubeconfig), "default")
    refused = elsewhere.deploy(release(1, manifests(HEALTHY), "default"), timeout=5, on_progress=lambda _: None)
    assert not refused.healthy and not refused.changed and "role.yaml" in refused.reason


def test_no_cluster_is_told_quickly_and_an_expired_login_is_not_taken_for_it(place: Place, tmp_path: Path) -> None:
    text = place.kubeconfig.read_text()
    expired = tmp_path / "expired"
    expired.write_text(text.replace('"token": "', '"token": "x'))
    with pytest.raises(RejectedByClusterError, match="login has expired"):
        connect(expired)
    gone = tmp_path / "gone"
    gone.write_text(text.replace("https://", "https://127.0.0.1:1/"))
    started = time.monotonic()
    for path in (gone, tmp_path / "missing"):
        with pytest.raises(ClusterUnavailableError, match="No Kubernetes API answers"):
            connect(path)
    assert time.monotonic() - started < 4


def test_no_request_fails_while_an_upgrade_and_a_failed_one_roll(place: Place) -> None:
    first = place.deliver(1, serving_to_the_end(HEALTHY))
    assert first.url
    stop, answers = threading.Event(), []

    def client() -> None:
        while not stop.is_set():
            try:
                answers.append(urllib.request.urlopen(first.url or "", timeout=5).status)
            except OSError as error:
                answers.append(repr(error))
            time.sleep(0.02)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        assert place.deliver(2, serving_to_the_end(HEALTHY)).outcome is Outcome.DEPLOYED
        assert place.deliver(3, serving_to_the_end(CRASHING), timeout=90).outcome is Outcome.ROLLED_BACK
    finally:
        stop.set()
        thread.join()
    assert len(answers) > 100 and set(answers) == {200}


def test_logs_over_a_pod_restart_have_no_gap_and_no_double(place: Place) -> None:
    counting = HEALTHY.replace(
        "server.serve_forever()",
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "for number in range(40): print('line', number, flush=True); time.sleep(0.05)\n"
        "import os\n"
        "if not os.path.exists('/kept/restarted'): open('/kept/restarted', 'w'); os._exit(1)\n"
        "time.sleep(1000)",
    )
    documents = manifests(counting)
    spec = documents[0]["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "kept", "emptyDir": {}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "kept", "mountPath": "/kept"}]
    assert place.deliver(1, documents).outcome is Outcome.DEPLOYED
    store, target = LogStore(place.folder), place.target()

    def collected() -> bool:
        store.append("production", target.logs("shop", "production", store.last("production")))
        return [row["text"] for row in store.read("production")].count("line 39") == 2

    eventually(collected, 40)
    collected()
    expected = ["serving VERSION", *(f"line {number}" for number in range(40))]
    assert [row["text"] for row in store.read("production")] == expected * 2
    assert {row["commit"] for row in store.read("production")} == {SHAS[1]}


def test_a_killed_delivery_is_taken_up_where_it_was(place: Place) -> None:
    slow = manifests(HEALTHY)
    slow[0]["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"] = 6
    script = (
        "import sys, pathlib, tests.e2e.clusters as c\n"
        "place = c.Place(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))\n"
        "slow = c.json.loads(sys.argv[4])\n"
        "place.deliver(2, slow)"
    )
    words = [sys.executable, "-c", script, place.namespace, str(place.kubeconfig), str(place.folder), json.dumps(slow)]
    place.deliver(1, manifests(HEALTHY))
    killed = subprocess.Popen(words)
    eventually(lambda: place.get("deployment/web")["metadata"]["annotations"]["infraaudit/commit"] == SHAS[2])
    killed.kill()
    killed.wait()
    generation = place.get("deployment/web")["metadata"]["generation"]
    started = time.monotonic()
    assert place.deliver(2, slow).outcome is Outcome.DEPLOYED
    assert time.monotonic() - started < 15, "the Lease of the killed delivery is ours: no wait for it to run out"
    assert place.get("deployment/web")["metadata"]["generation"] == generation, "taken up, not started over"


def test_an_api_server_that_is_killed_and_started_again_stops_no_rollout(place: Place, tmp_path: Path) -> None:
    server = OwnApiServer(tmp_path)
    server.start()
    own = Place(place.namespace, server.kubeconfig(place.kubeconfig), place.folder)
    try:
        assert own.deliver(1, manifests(HEALTHY)).outcome is Outcome.DEPLOYED
        slow = manifests(HEALTHY)
        slow[0]["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"] = 8
        done: list[Outcome] = []
        thread = threading.Thread(target=lambda: done.append(own.deliver(2, slow, timeout=90).outcome))
        thread.start()
        eventually(lambda: place.get("deployment/web")["metadata"]["annotations"]["infraaudit/commit"] == SHAS[2])
        server.kill()
        eventually(lambda: any("does not answer" in line for line in own.progress))
        server.start()
        thread.join()
        assert done == [Outcome.DEPLOYED], own.progress
        assert place.running_versions() == {SHAS[2]}
    finally:
        server.kill()


class FaultyApi:
    """The cluster's API behind a plain proxy that answers some requests with a fault instead."""

    def __init__(self) -> None:
        self.fault: Callable[[str, str], int] = lambda method, path: 0
        self.faults = 0
        self.pause: Callable[[str, str], float] = lambda method, path: 0
        upstream = subprocess.Popen(
            ["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert upstream.stdout
        port = upstream.stdout.readline().strip().rpartition(":")[2]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                time.sleep(outer.pause(self.command, self.path))
                status = outer.fault(self.command, self.path)
                if status:
                    outer.faults += 1
                    answer = b'{"kind": "Status", "message": "made up by the test"}'
                else:
                    request = urllib.request.Request(
                        f"http://127.0.0.1:{port}{self.path}", body or None, method=self.command
                    )
                    for name in ("Content-Type", "Accept"):
                        request.add_header(name, self.headers.get(name) or "application/json")
                    try:
                        with urllib.request.urlopen(request, timeout=30) as response:
                            status, answer = response.status, response.read()
                    except urllib.error.HTTPError as error:
                        status, answer = error.code, error.read()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_PATCH = _pass

            def log_message(self, *words: object) -> None: ...

        self.upstream, self.server = upstream, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kubeconfig(self, path: Path) -> Path:
        cluster = {"name": "faulty", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}
        context = {"name": "faulty", "context": {"cluster": "faulty", "user": "nobody"}}
        user = {"name": "nobody", "user": {}}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "faulty"}
        path.write_text(json.dumps(config | {"clusters": [cluster], "contexts": [context], "users": [user]}))
        return path


@pytest.fixture
def faulty() -> Iterator[FaultyApi]:
    api = FaultyApi()
    yield api
    api.server.shutdown()
    api.upstream.kill()
    api.upstream.wait()


def test_a_busy_or_failing_api_server_is_asked_again_and_a_long_outage_changes_nothing_silently(
    place: Place, faulty: FaultyApi, tmp_path: Path
) -> None:
    target = KubernetesTarget(connect(faulty.kubeconfig(tmp_path / "faulty")), place.namespace)
    turn = itertools.count()
    faulty.fault = lambda method, path: (0, 0, 0, 429, 503)[next(turn) % 5]
    assert place.deliver(1, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    assert faulty.faults > 5
    outage = time.monotonic() + 4

    def down_while_it_rolls(method: str, path: str) -> int:
        asked = method == "GET" and time.monotonic() < outage
        return 503 if asked and "/deployments/" in path else 410 if asked and "/pods" in path else 0

    faulty.fault = down_while_it_rolls
    assert place.deliver(2, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    faulty.fault = lambda method, path: 500 if method == "PATCH" else 0
    with pytest.raises(ClusterError, match="answered 500: made up by the test"):
        place.deliver(3, manifests(HEALTHY), target=target)
    assert place.running_versions() == {SHAS[2]}


def test_a_conflict_that_is_over_is_tried_again_and_one_that_lasts_has_its_own_message(
    place: Place, faulty: FaultyApi, tmp_path: Path
) -> None:
    cluster = connect(faulty.kubeconfig(tmp_path / "faulty"))
    target = KubernetesTarget(cluster, place.namespace)
    turn = itertools.count()
    faulty.fault = lambda method, path: 409 if method == "PATCH" and next(turn) % 2 == 0 else 0
    assert place.deliver(1, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    assert faulty.faults == 4, "each of two objects once, in the dry run and in the apply"
    faulty.fault = lambda method, path: 409 if method == "PATCH" else 0
    with pytest.raises(ClusterError, match="checking Service/web: somebody else changed it at the same time"):
        place.deliver(2, manifests(HEALTHY), target=target)
    assert place.running_versions() == {SHAS[1]}
    # What the API server itself says of a write that met another.
    from kubernetes import client

    found = client.CoreV1Api(cluster.client).read_namespaced_service("web", place.namespace)
    found.metadata.resource_version = "1"
    with pytest.raises(ClusterError, match="at the same time.*the object has been modified"), translated("writing"):
        client.CoreV1Api(cluster.client).replace_namespaced_service("web", place.namespace, found)


def test_a_slow_api_server_is_waited_for_and_called_slow(
    place: Place, faulty: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = faulty.kubeconfig(tmp_path / "faulty")
    target = KubernetesTarget(connect(kubeconfig), place.namespace)
    for module in (observe, cluster_target):
        monkeypatch.setattr(module, "REQUEST_SECONDS", 0.5)
    slow_ones = itertools.count()
    faulty.pause = lambda method, path: 1 if method == "PATCH" and next(slow_ones) < 3 else 0
    assert place.deliver(1, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    slow_reads = itertools.count()
    faulty.pause = lambda method, path: int(method == "GET" and "/deployments/" in path and next(slow_reads) < 3)
    assert place.deliver(2, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    assert any("reading Deployment/web: the API server is too slow" in line for line in place.progress)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    faulty.pause = lambda method, path: 1
    with pytest.raises(ClusterError, match="the API server is too slow") as slow:
        connect(kubeconfig)
    assert not isinstance(slow.value, ClusterUnavailableError), "nothing is deployed elsewhere because of it"


def test_a_login_that_expires_in_the_middle_of_a_rollout_is_recorded_and_the_next_run_takes_it_up(place: Place) -> None:
    place.deliver(1, manifests(HEALTHY))
    slow = manifests(HEALTHY)
    slow[0]["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"] = 5
    target = place.target()

    def expire() -> None:
        eventually(lambda: place.get("deployment/web")["metadata"]["annotations"]["infraaudit/commit"] == SHAS[2])
        settings = target.cluster.client.configuration
        settings.refresh_api_key_hook = lambda settings: settings.api_key.update(BearerToken="Bearer expired")

    with ThreadPoolExecutor() as pool:
        pool.submit(expire)
        done = place.deliver(2, slow, target=target)
    assert (done.outcome, done.replaced_sha) == (Outcome.FAILED, SHAS[1]) and place.recorded[-1] == done
    assert "refused it (401)" in done.reason and "The login has expired" in done.reason
    assert "run the commit again" in done.reason
    assert place.running_versions() == {SHAS[1]}, "what ran keeps running"
    generation = place.get("deployment/web")["metadata"]["generation"]
    assert place.deliver(2, slow).outcome is Outcome.DEPLOYED
    assert place.running_versions() == {SHAS[2]}
    assert place.get("deployment/web")["metadata"]["generation"] == generation, "taken up, not started over"


def test_drift_is_found_and_gone_after_another_delivery(place: Place) -> None:
    done = place.deliver(1, manifests(HEALTHY))
    target = place.target(force=True)
    assert target.drift(done.manifests) == []
    patch = {"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "other:1"}]}}}}
    kubectl("--namespace", place.namespace, "patch", "deployment/web", "--patch", json.dumps(patch))
    kubectl("--namespace", place.namespace, "delete", "service/web")
    found = [str(difference) for difference in target.drift(done.manifests)]
    assert found == [
        "Service/web is gone",
        "Deployment/web: spec.replicas is 2, deployed was 1",
        f"Deployment/web: spec.template.spec.containers[0].image is other:1, deployed was {IMAGE}",
    ]
    assert place.deliver(1, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    assert target.drift(done.manifests) == []


def test_pruning_deletes_only_what_we_brought_and_only_where_it_is_on(place: Place) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ours"}, "data": {"a": "b"}}
    kubectl("--namespace", place.namespace, "create", "configmap", "foreign")
    place.deliver(1, [*manifests(HEALTHY), config])
    place.deliver(2, manifests(HEALTHY))

    def names() -> set[str]:
        return {item["metadata"]["name"] for item in place.get("configmaps")["items"]} - {"kube-root-ca.crt"}

    assert names() == {"ours", "foreign"}
    assert place.deliver(3, manifests(HEALTHY), target=place.target(prune=True)).outcome is Outcome.DEPLOYED
    assert names() == {"foreign"}
    assert place.running_versions() == {SHAS[3]}


def test_other_workloads_are_waited_for_and_rolled_back_too(place: Place, tmp_path: Path) -> None:
    def documents(kind: str, program: str) -> list[dict[str, Any]]:
        workload, service = manifests(program)
        for name in ("strategy", "progressDeadlineSeconds", *(["replicas"] if kind == "DaemonSet" else [])):
            del workload["spec"][name]
        name = {"serviceName": "web"} if kind == "StatefulSet" else {}
        return [workload | {"kind": kind, "spec": workload["spec"] | name}, service]

    def play(kind: str, where: Place) -> None:
        for number in (1, 2):
            assert where.deliver(number, documents(kind, HEALTHY)).outcome is Outcome.DEPLOYED
            assert where.running_versions() == {SHAS[number]}
        bad = where.deliver(3, documents(kind, CRASHING), timeout=60)
        assert (bad.outcome, where.running_versions()) == (Outcome.ROLLED_BACK, {SHAS[2]}), (kind, bad.reason)

    folder = tmp_path / "other"
    folder.mkdir()
    with new_place(folder) as other, ThreadPoolExecutor() as pool:
        list(pool.map(play, ("StatefulSet", "DaemonSet"), (place, other)))
