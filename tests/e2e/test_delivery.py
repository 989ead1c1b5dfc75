"""Deliveries to the real cluster, with the rights of the Role alone: what is healthy stays, whatever a commit brings."""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.delivery.deployments import Outcome
from resources.logs.store import LogStore
from resources.targets.cluster import KubernetesTarget, connect
from tests.e2e.clusters import (
    CRASHING,
    HEALTHY,
    IMAGE,
    NEVER_READY,
    SHAS,
    Namespace,
    kubectl,
    manifests,
    namespace,
    new_namespace,
    release,
    serving_to_the_end,
)  # fmt: skip
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e
__all__ = ["namespace"]


def test_first_deployment_then_nothing_to_do_then_upgrade(namespace: Namespace) -> None:
    first = namespace.deliver(1, manifests(HEALTHY))
    assert (first.outcome, first.replaced_sha) == (Outcome.DEPLOYED, None), first.reason
    assert first.url and urllib.request.urlopen(first.url, timeout=30).read() == b"VERSION"
    generation = namespace.get("deployment/web")["metadata"]["generation"]
    assert namespace.deliver(1, manifests(HEALTHY)).outcome is Outcome.UNCHANGED
    assert namespace.get("deployment/web")["metadata"]["generation"] == generation
    second = namespace.deliver(2, manifests(HEALTHY))
    assert (second.outcome, second.replaced_sha) == (Outcome.DEPLOYED, SHAS[1])
    assert namespace.running_versions() == {SHAS[2]}
    assert namespace.target().probe("shop", "production").healthy


def test_a_crash_loop_is_seen_before_the_deadline_and_rolled_back(namespace: Namespace) -> None:
    namespace.deliver(1, manifests(HEALTHY))
    bad = namespace.deliver(2, manifests(CRASHING), timeout=120)
    assert bad.outcome is Outcome.ROLLED_BACK
    assert "timed out progressing" not in bad.reason, "that is what is said at the deadline"
    assert "CrashLoopBackOff: exit code 3" in bad.reason and "the reason is a missing table" in bad.reason
    assert namespace.running_versions() == {SHAS[1]}
    assert namespace.live and namespace.live.sha == SHAS[1]


def test_an_image_that_cannot_be_pulled_is_rolled_back(namespace: Namespace) -> None:
    namespace.deliver(1, manifests(HEALTHY))
    bad = namespace.deliver(2, manifests(HEALTHY), image="127.0.0.1:1/none@sha256:" + "0" * 64, timeout=120)
    assert bad.outcome is Outcome.ROLLED_BACK and "ImagePullBackOff" in bad.reason
    assert namespace.running_versions() == {SHAS[1]}


def test_what_never_becomes_ready_and_what_no_node_can_take(namespace: Namespace) -> None:
    assert namespace.deliver(1, manifests(NEVER_READY), timeout=6).outcome is Outcome.FAILED
    greedy = manifests(HEALTHY)
    greedy[0]["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "900"}}
    bad = namespace.deliver(2, greedy, target=namespace.target(unschedulable_seconds=2))
    assert bad.outcome is Outcome.FAILED and "unschedulable: 0/1 nodes are available" in bad.reason


def test_a_rollback_that_fails_too_is_degraded(namespace: Namespace) -> None:
    namespace.deliver(1, manifests(HEALTHY))
    assert namespace.live
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    namespace.get("deployment/web")
    kubectl("--namespace", namespace.name, "apply", "-f", "-", stdin=str(quota).replace("'", '"'))
    eventually(lambda: _no_pod_is_left(namespace))
    bad = namespace.deliver(2, manifests(HEALTHY), timeout=10)
    assert bad.outcome is Outcome.DEGRADED
    assert "exceeded quota" in bad.reason and f"rollback to {SHAS[1][:12]} failed too" in bad.reason


def _no_pod_is_left(namespace: Namespace) -> bool:
    """Whether the quota holds: until the API server has seen it, what is deleted comes back."""
    kubectl("--namespace", namespace.name, "delete", "pods", "--all", "--grace-period=1")
    [replica_set] = namespace.get("replicasets")["items"]
    refused = [one["message"] for one in replica_set["status"].get("conditions", ()) if "quota" in one["message"]]
    return bool(refused) and not namespace.get("pods")["items"]


def test_an_older_commit_is_superseded_and_changes_nothing(namespace: Namespace) -> None:
    namespace.deliver(3, manifests(HEALTHY))
    before = namespace.get("deployment/web")["metadata"]["generation"]
    assert namespace.deliver(2, manifests(CRASHING)).outcome is Outcome.SUPERSEDED
    assert namespace.get("deployment/web")["metadata"]["generation"] == before


def test_two_machines_at_once_deliver_one_after_the_other(namespace: Namespace) -> None:
    """Two lock files stand for two machines: only the Lease is between them."""
    other = Namespace(namespace.name, namespace.kubeconfig, namespace.folder / "other")
    namespace.deliver(1, manifests(HEALTHY))
    threads = [
        threading.Thread(target=one.deliver, args=(number, manifests(HEALTHY)))
        for one, number in ((namespace, 2), (other, 3))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any("waiting for" in line for line in [*namespace.progress, *other.progress])
    spans = sorted((one.live.started_at, one.live.finished_at) for one in (namespace, other) if one.live)
    assert spans[0][1] <= spans[1][0]


def test_a_schema_fault_and_a_foreign_field_change_nothing(namespace: Namespace) -> None:
    namespace.deliver(1, manifests(HEALTHY))
    wrong = namespace.deliver(2, manifests(HEALTHY, selector={"matchLabels": {"app": "other"}}))
    assert wrong.outcome is Outcome.FAILED and "Nothing was changed" in wrong.reason and "selector" in wrong.reason
    unknown = namespace.deliver(2, manifests(HEALTHY, replicasss=3))
    assert unknown.outcome is Outcome.FAILED and "replicasss" in unknown.reason
    kubectl("--namespace", namespace.name, "patch", "deployment/web", "--patch", '{"spec": {"replicas": 2}}')
    conflict = namespace.deliver(2, manifests(HEALTHY))
    assert conflict.outcome is Outcome.FAILED and "conflict" in conflict.reason
    eventually(lambda: namespace.running_versions() == {SHAS[1]})
    assert namespace.deliver(2, manifests(HEALTHY), target=namespace.target(force=True)).outcome is Outcome.DEPLOYED


def test_a_commit_takes_over_no_account_that_it_did_not_bring(namespace: Namespace) -> None:
    def bringing(name: str) -> list[dict[str, Any]]:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        return [account, *manifests(HEALTHY, pod={"serviceAccountName": name})]

    done = namespace.deliver(1, bringing("infraaudit"))
    assert done.outcome is Outcome.FAILED
    assert "ServiceAccount/infraaudit is there, and not of" in done.reason and namespace.running_versions() == set()
    for number in (2, 3):
        assert namespace.deliver(number, bringing("own")).outcome is Outcome.DEPLOYED
    assert namespace.running_versions() == {SHAS[3]}


def test_the_role_reaches_no_other_namespace(namespace: Namespace) -> None:
    elsewhere = KubernetesTarget(connect(namespace.kubeconfig), "default")
    refused = elsewhere.deploy(release(1, manifests(HEALTHY), "default"), timeout=5, on_progress=lambda _: None)
    assert not refused.healthy and not refused.changed and "role.yaml" in refused.reason


def test_no_request_fails_while_an_upgrade_and_a_failed_one_roll(namespace: Namespace) -> None:
    first = namespace.deliver(1, serving_to_the_end(HEALTHY))
    assert first.url
    stop, answers = threading.Event(), []

    def client() -> None:
        while not stop.is_set():
            try:
                answers.append(urllib.request.urlopen(first.url or "", timeout=30).status)
            except OSError as error:
                answers.append(repr(error))
            time.sleep(0.02)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        assert namespace.deliver(2, serving_to_the_end(HEALTHY)).outcome is Outcome.DEPLOYED
        assert namespace.deliver(3, serving_to_the_end(CRASHING), timeout=90).outcome is Outcome.ROLLED_BACK
    finally:
        stop.set()
        thread.join()
    assert len(answers) > 100 and set(answers) == {200}


def test_logs_over_a_pod_restart_have_no_gap_and_no_double(namespace: Namespace) -> None:
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
    assert namespace.deliver(1, documents).outcome is Outcome.DEPLOYED
    store, target = LogStore(namespace.folder), namespace.target()

    def collected() -> bool:
        store.append("production", target.logs("shop", "production", store.last("production")))
        return [row["text"] for row in store.read("production")].count("line 39") == 2

    eventually(collected, 40)
    collected()
    expected = ["serving VERSION", *(f"line {number}" for number in range(40))]
    assert [row["text"] for row in store.read("production")] == expected * 2
    assert {row["commit"] for row in store.read("production")} == {SHAS[1]}


def test_a_killed_delivery_is_taken_up_where_it_was(namespace: Namespace) -> None:
    slow = manifests(HEALTHY)
    slow[0]["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"] = 6
    script = (
        "import sys, pathlib, tests.e2e.clusters as c\n"
        "namespace = c.Namespace(sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))\n"
        "slow = c.json.loads(sys.argv[4])\n"
        "namespace.deliver(2, slow)"
    )
    words = [
        sys.executable,
        "-c",
        script,
        namespace.name,
        str(namespace.kubeconfig),
        str(namespace.folder),
        json.dumps(slow),
    ]
    namespace.deliver(1, manifests(HEALTHY))
    killed = subprocess.Popen(words)
    eventually(lambda: namespace.get("deployment/web")["metadata"]["annotations"]["infraaudit/commit"] == SHAS[2])
    killed.kill()
    killed.wait()
    generation = namespace.get("deployment/web")["metadata"]["generation"]
    namespace.progress.clear()
    assert namespace.deliver(2, slow).outcome is Outcome.DEPLOYED
    assert not [line for line in namespace.progress if "waiting for" in line], (
        "the Lease of the killed delivery is ours"
    )
    assert namespace.get("deployment/web")["metadata"]["generation"] == generation, "taken up, not started over"


def test_drift_is_found_and_gone_after_another_delivery(namespace: Namespace) -> None:
    done = namespace.deliver(1, manifests(HEALTHY))
    target = namespace.target(force=True)
    assert target.drift(done.manifests) == []
    patch = {"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "other:1"}]}}}}
    kubectl("--namespace", namespace.name, "patch", "deployment/web", "--patch", json.dumps(patch))
    kubectl("--namespace", namespace.name, "delete", "service/web")
    found = [str(difference) for difference in target.drift(done.manifests)]
    assert found == [
        "Service/web is gone",
        "Deployment/web: spec.replicas is 2, deployed was 1 (by kubectl-patch)",
        f"Deployment/web: spec.template.spec.containers[0].image is other:1, deployed was {IMAGE} (by kubectl-patch)",
    ]
    assert namespace.deliver(1, manifests(HEALTHY), target=target).outcome is Outcome.UNCHANGED
    assert target.drift(done.manifests) == []


def test_pruning_deletes_only_what_we_brought_and_only_where_it_is_on(namespace: Namespace) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ours"}, "data": {"a": "b"}}
    kubectl("--namespace", namespace.name, "create", "configmap", "foreign")
    namespace.deliver(1, [*manifests(HEALTHY), config])
    namespace.deliver(2, manifests(HEALTHY))

    def names() -> set[str]:
        return {item["metadata"]["name"] for item in namespace.get("configmaps")["items"]} - {"kube-root-ca.crt"}

    assert names() == {"ours", "foreign"}
    assert namespace.deliver(3, manifests(HEALTHY), target=namespace.target(prune=True)).outcome is Outcome.DEPLOYED
    assert names() == {"foreign"}
    assert namespace.running_versions() == {SHAS[3]}


def test_other_workloads_are_waited_for_and_rolled_back_too(namespace: Namespace, tmp_path: Path) -> None:
    def documents(kind: str, program: str) -> list[dict[str, Any]]:
        workload, service = manifests(program)
        for name in ("strategy", "progressDeadlineSeconds", *(["replicas"] if kind == "DaemonSet" else [])):
            del workload["spec"][name]
        service_name = {"serviceName": "web"} if kind == "StatefulSet" else {}
        return [workload | {"kind": kind, "spec": workload["spec"] | service_name}, service]

    def play(kind: str, where: Namespace) -> None:
        for number in (1, 2):
            assert where.deliver(number, documents(kind, HEALTHY)).outcome is Outcome.DEPLOYED
            assert where.running_versions() == {SHAS[number]}
        bad = where.deliver(3, documents(kind, CRASHING), timeout=60)
        assert (bad.outcome, where.running_versions()) == (Outcome.ROLLED_BACK, {SHAS[2]}), (kind, bad.reason)

    folder = tmp_path / "other"
    folder.mkdir()
    with new_namespace(folder) as other, ThreadPoolExecutor() as pool:
        list(pool.map(play, ("StatefulSet", "DaemonSet"), (namespace, other)))
