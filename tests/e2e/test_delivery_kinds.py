"""What deliveries meet in a cluster: what ends or scales by itself, what is partitioned or paused, kinds of their own.

All of it in one namespace, each test with a history of its own.
"""

from typing import Any

import pytest

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.kubernetes.manifest_policy import KINDS, ManifestPolicy
from resources.targets.cluster import KubernetesTarget, connect
from tests.e2e.clusters import HEALTHY, SHAS, Namespace, kubectl, manifests
from tests.e2e.delivery_objects import config, hook, job, named, namespace, shared
from tests.e2e.waiting import eventually

__all__ = ["namespace", "shared"]
pytestmark = pytest.mark.e2e


def test_a_partition_and_a_paused_deployment(namespace: Namespace) -> None:
    def stateful(program: str, **spec: Any) -> list[dict[str, Any]]:
        deployment, service = manifests(program, replicas=2, serviceName="web", podManagementPolicy="Parallel", **spec)
        for name in ("strategy", "progressDeadlineSeconds"):
            del deployment["spec"][name]
        return [deployment | {"kind": "StatefulSet"}, service]

    assert namespace.deliver(1, stateful(HEALTHY)).outcome is Outcome.DEPLOYED
    partitioned = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    half = namespace.deliver(2, stateful(HEALTHY, updateStrategy=partitioned), timeout=60)
    assert half.outcome is Outcome.DEPLOYED and "1 of 2 pods have the new revision" in half.reason
    assert namespace.running_versions() == {SHAS[1], SHAS[2]}
    by_hand = namespace.deliver(3, stateful(HEALTHY, updateStrategy={"type": "OnDelete"}), timeout=60)
    assert by_hand.outcome is Outcome.DEPLOYED and "OnDelete" in by_hand.reason
    paused = namespace.deliver(
        4, [*stateful(HEALTHY, updateStrategy={"type": "OnDelete"}), named("other", HEALTHY, paused=True)]
    )
    assert paused.outcome is Outcome.ROLLED_BACK and "other is paused" in paused.reason


def test_jobs_are_waited_for_made_anew_and_not_missed_when_their_time_is_over(namespace: Namespace) -> None:
    done = namespace.deliver(1, [*manifests(HEALTHY), job("sh", "-c", "sleep 2")])
    assert done.outcome is Outcome.DEPLOYED
    first = namespace.get("job/migrate")
    assert first["status"]["succeeded"] == 1, "it was waited for"
    assert namespace.deliver(2, [*manifests(HEALTHY), job("sh", "-c", "sleep 2")]).outcome is Outcome.DEPLOYED
    assert namespace.get("job/migrate")["metadata"]["uid"] == first["metadata"]["uid"], "it is the same, and has run"
    changed = namespace.deliver(3, [*manifests(HEALTHY), job("true")])
    assert changed.outcome is Outcome.DEPLOYED, changed.reason
    second = namespace.get("job/migrate")
    assert second["metadata"]["uid"] != first["metadata"]["uid"] and second["status"]["succeeded"] == 1
    bad = namespace.deliver(4, [*manifests(HEALTHY), job("sh", "-c", "echo no such table; exit 3")], timeout=60)
    assert bad.outcome is Outcome.ROLLED_BACK
    assert "Job migrate has failed: BackoffLimitExceeded" in bad.reason and "no such table" in bad.reason
    assert not namespace.get("jobs")["items"], "the failed one is removed, and the one before does not run again"
    assert namespace.target().drift(changed.manifests) == []
    assert namespace.running_versions() == {SHAS[3]}
    kubectl("--namespace", namespace.name, "delete", "jobs", "--all")
    again = [*manifests(HEALTHY), job("sh", "-c", "test -e /tmp/there || exit 3")]
    assert namespace.deliver(5, again, timeout=60).outcome is Outcome.ROLLED_BACK


def test_hooks_run_around_a_release_once_and_a_failed_one_takes_it_back(namespace: Namespace) -> None:
    migrate = hook("pre-deploy", "migrate", "sh", "-c", "sleep 1")
    done = namespace.deliver(1, [*manifests(HEALTHY), migrate, hook("post-deploy", "smoke", "true")])
    assert done.outcome is Outcome.DEPLOYED
    assert done.reason == "Job/migrate (pre-deploy) is complete\nJob/smoke (post-deploy) is complete"
    jobs = {one["metadata"]["name"]: one for one in namespace.get("jobs")["items"]}
    made = namespace.get("deployment/web")["metadata"]["creationTimestamp"]
    assert jobs["migrate"]["status"]["completionTime"] <= made <= jobs["smoke"]["metadata"]["creationTimestamp"]
    assert namespace.deliver(1, [*manifests(HEALTHY), migrate, hook("post-deploy", "smoke", "true")]).is_live
    again = {one["metadata"]["name"]: one["metadata"]["uid"] for one in namespace.get("jobs")["items"]}
    assert again == {name: one["metadata"]["uid"] for name, one in jobs.items()}, "the live release runs none again"
    generation = namespace.get("deployment/web")["metadata"]["generation"]
    failing = hook("pre-deploy", "migrate", "sh", "-c", "echo no such column; exit 3")
    bad = namespace.deliver(2, [*manifests(HEALTHY), failing], timeout=60)
    assert bad.outcome is Outcome.ROLLED_BACK and "no such column" in bad.reason
    assert namespace.get("deployment/web")["metadata"]["generation"] == generation, "nothing came after the failed hook"
    down = hook("rollback", "down", "sh", "-c", "echo schema restored")
    taken_back = namespace.deliver(3, [*manifests(HEALTHY), down, hook("post-deploy", "smoke", "false")], timeout=60)
    assert taken_back.outcome is Outcome.ROLLED_BACK, taken_back.reason
    assert "Job/down (rollback) is complete" in taken_back.reason and "Job smoke has failed" in taken_back.reason
    assert namespace.running_versions() == {SHAS[1]}


def test_what_does_not_stay_healthy_for_its_soak_is_taken_back(namespace: Namespace) -> None:
    namespace.deliver(1, manifests(HEALTHY))
    ends = HEALTHY.replace(
        "server.serve_forever()",
        "threading.Timer(3, lambda: __import__('os')._exit(7)).start()\nserver.serve_forever()",
    )
    bad = namespace.deliver(2, manifests(ends), soak=20)
    assert bad.outcome is Outcome.ROLLED_BACK and "(soak: 20 s)" in bad.reason and "exit code 7" in bad.reason
    assert namespace.running_versions() == {SHAS[1]}
    assert namespace.deliver(3, manifests(HEALTHY), soak=2).outcome is Outcome.DEPLOYED
    assert any("it has to stay so for 2 s" in line for line in namespace.progress)


def test_what_an_autoscaler_scales_keeps_its_replicas(namespace: Namespace) -> None:
    scaler = {
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"minReplicas": 1, "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    }  # fmt: skip
    silent = manifests(HEALTHY)
    del silent[0]["spec"]["replicas"]
    namespace.deliver(1, [*manifests(HEALTHY, replicas=2), scaler])
    without = namespace.deliver(2, [*silent, scaler])
    assert without.outcome is Outcome.DEPLOYED
    assert namespace.get("deployment/web")["spec"]["replicas"] == 2, "nobody else has said how many yet"
    kubectl("--namespace", namespace.name, "scale", "deployment/web", "--replicas=3")
    eventually(lambda: namespace.get("deployment/web")["status"].get("availableReplicas") == 3)
    done = namespace.deliver(3, [*manifests(HEALTHY, replicas=1), scaler])
    assert done.outcome is Outcome.DEPLOYED, done.reason
    assert namespace.get("deployment/web")["spec"]["replicas"] == 3
    assert namespace.target().drift(done.manifests) == []


def definition(group: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "required": ["size"],
              "properties": {"size": {"type": "integer"}}}}}  # fmt: skip
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }  # fmt: skip


def test_a_kind_that_a_release_brings_is_established_before_an_object_of_it_is_applied(namespace: Namespace) -> None:
    group = f"{namespace.name}.example.org"
    crd = definition(group)
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
    policy = ManifestPolicy(kinds=KINDS | {f"{group}/Widget", "apiextensions.k8s.io/CustomResourceDefinition"})
    # Cluster-wide objects are the administrator's: not with the Role that deliveries have.
    target = KubernetesTarget(connect(None), namespace.name)
    wrong = widget | {"spec": {"size": "three"}}
    try:
        bad = namespace.deliver(0, [wrong, *manifests(HEALTHY), crd, config("c")], target=target, policy=policy)
        assert bad.outcome is Outcome.FAILED and "Widget/one" in bad.reason, "it is tried once its kind is there"
        assert "c" not in {item["metadata"]["name"] for item in namespace.get("configmaps")["items"]}
        kubectl("delete", "crd", f"widgets.{group}", "--wait")
        done = namespace.deliver(1, [widget, *manifests(HEALTHY), crd], target=target, policy=policy)
        assert done.outcome is Outcome.DEPLOYED, done.reason
        assert namespace.get(f"widgets.{group}/one")["spec"] == {"size": 3}
        again = namespace.deliver(
            2, [widget | {"spec": {"size": 4}}, *manifests(HEALTHY), crd], target=target, policy=policy
        )
        assert again.outcome is Outcome.DEPLOYED and target.drift(again.manifests) == []
    finally:
        kubectl("delete", "crd", f"widgets.{group}", "--wait=false", check=False)
