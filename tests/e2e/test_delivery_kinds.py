"""What deliveries meet in a cluster: what ends or scales by itself, what is partitioned or paused, what fails half-way.

All of it in one namespace, each test with a history of its own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule, parse_path
from infraaudit_domain.kubernetes.manifest_policy import KINDS, ManifestPolicy
from resources.targets.cluster import KubernetesTarget, connect
from resources.targets.cluster.applying import Applying
from resources.targets.cluster.watching import Watch
from tests.conftest import require
from tests.e2e.clusters import HEALTHY, IMAGE, SHAS, Namespace, kubectl, manifests, new_namespace
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    require("kubernetes")
    with new_namespace(tmp_path_factory.mktemp("kinds")) as found:
        yield found


@pytest.fixture
def namespace(shared: Namespace, tmp_path: Path) -> Iterator[Namespace]:
    yield Namespace(shared.name, shared.kubeconfig, tmp_path)
    kinds = "deployments,statefulsets,jobs,services,horizontalpodautoscalers,configmaps,pods"
    kubectl("--namespace", shared.name, "delete", kinds, "--all", "--force", "--grace-period=0")


def broken(deployment: dict[str, Any]) -> dict[str, Any]:
    """The same with a command that is not there, which is seen at once."""
    deployment["spec"]["template"]["spec"]["containers"][0]["command"] = ["/not/there"]
    return deployment


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def named(name: str, program: str, **changes: Any) -> dict[str, Any]:
    """A Deployment beside the one called web."""
    deployment = json.loads(json.dumps(manifests(program, **changes)[0]).replace('"app": "web"', f'"app": "{name}"'))
    return deployment | {"metadata": {"name": name}}


def job(*command: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "job", "image": "replaced", "command": list(command)}
    pod = {"containers": [container], "restartPolicy": "Never", "automountServiceAccountToken": False}
    template = {"template": {"spec": pod | {"terminationGracePeriodSeconds": 0}}}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
        "spec": {"backoffLimit": 0, **spec, **template},
    }  # fmt: skip


def test_the_way_back_removes_restores_and_leaves_alone(namespace: Namespace) -> None:
    deployment, service = manifests(HEALTHY)
    first = namespace.deliver(1, [broken(deployment), service, config("first")], timeout=60)
    assert first.outcome is Outcome.FAILED and "ConfigMap/first was brought by it and is removed" in first.reason
    assert not namespace.get("deployments")["items"] and not namespace.get("services")["items"]
    namespace.deliver(2, [*manifests(HEALTHY), config("left", a="of commit 2"), config("kept", a="1", b="2")])
    kubectl("--namespace", namespace.name, "create", "configmap", "adopted", "--from-literal=a=theirs")
    live = [*manifests(HEALTHY), config("kept", a="1", b="2")]
    namespace.deliver(3, live)
    before = {name: namespace.get(f"configmap/{name}") for name in ("left", "adopted")}
    brought = [
        config("left", a="of commit 4"),
        config("adopted", b="ours"),
        config("new", a="b"),
        config("kept", a="3"),
    ]
    target = namespace.target(adopt=["ConfigMap/adopted"])
    bad = namespace.deliver(
        4, [*manifests(HEALTHY), *brought, broken(named("worker", HEALTHY))], timeout=60, target=target
    )
    assert bad.outcome is Outcome.ROLLED_BACK, bad.reason
    names = {item["metadata"]["name"] for item in namespace.get("configmaps")["items"]} - {"kube-root-ca.crt"}
    assert names == {"left", "adopted", "kept"}
    assert [one["metadata"]["name"] for one in namespace.get("deployments")["items"]] == ["web"]
    assert namespace.get("configmap/kept")["data"] == {"a": "1", "b": "2"}
    for name, found in before.items():
        now = namespace.get(f"configmap/{name}")
        for key in ("data", "metadata"):
            changed = {k: v for k, v in found[key].items() if now[key].get(k) != v} if key == "metadata" else {}
            assert changed.keys() <= {"resourceVersion"} and now["data"] == found["data"]
    assert namespace.target().probe("shop", "production").healthy
    assert namespace.deliver(5, live).outcome is Outcome.DEPLOYED


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


def hook(when: str, name: str, *command: str) -> dict[str, Any]:
    return job(*command) | {"metadata": {"name": name, "annotations": {"infraaudit.io/hook": when}}}


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


def test_a_login_that_expires_between_the_dry_run_and_the_apply_leaves_all_as_it_was(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace.deliver(1, manifests(HEALTHY))
    version = namespace.get("deployment/web")["metadata"]["resourceVersion"]
    target, usual = namespace.target(), Applying.apply

    def expire(self: Applying, documents: Any) -> None:
        settings = target.cluster.client.configuration
        settings.refresh_api_key_hook = lambda settings: settings.api_key.update(BearerToken="Bearer expired")
        usual(self, documents)

    monkeypatch.setattr(Applying, "apply", expire)
    done = namespace.deliver(2, manifests(HEALTHY), target=target)
    assert (
        done.outcome is Outcome.FAILED and "login has expired" in done.reason and "Nothing was changed" in done.reason
    )
    assert namespace.get("deployment/web")["metadata"]["resourceVersion"] == version


def test_what_was_missing_before_is_not_held_against_the_next_try(namespace: Namespace) -> None:
    namespace.uses = frozenset({"ConfigMap/settings"})
    wanting = manifests(HEALTHY)
    container = wanting[0]["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    settings = ["--namespace", namespace.name, "create", "configmap", "settings", "--from-literal=a=b"]
    kubectl(*settings)
    first = namespace.deliver(1, wanting)
    assert first.outcome is Outcome.DEPLOYED, first.reason
    kubectl("--namespace", namespace.name, "delete", "configmap", "settings")
    kubectl("--namespace", namespace.name, "delete", "pods", "--all", "--force", "--grace-period=0")

    def stuck() -> bool:
        pods = namespace.get("pods")["items"]
        states = [status["state"] for pod in pods for status in pod["status"].get("containerStatuses", ())]
        return any(state.get("waiting", {}).get("reason") == "CreateContainerConfigError" for state in states)

    eventually(stuck)
    missing = namespace.deliver(1, wanting, timeout=30)
    assert missing.outcome is Outcome.FAILED and "CreateContainerConfigError" in missing.reason
    kubectl(*settings)
    again = namespace.deliver(1, wanting, timeout=60)
    assert again.is_live, again.reason
    assert namespace.running_versions() == {SHAS[1]} and again.image == IMAGE


def test_what_a_hand_added_is_drift_with_its_name_and_self_healing_takes_it_out(namespace: Namespace) -> None:
    documents = manifests(HEALTHY)
    done = namespace.deliver(1, documents)
    assert namespace.target().drift(done.manifests) == []
    container = {"name": "sidecar", "image": IMAGE, "command": ["sleep", "1000"]}
    web = {"name": "web", "env": [{"name": "DEBUG", "value": "1"}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    pod = {"containers": [container, web], "volumes": [{"name": "v", "emptyDir": {}}]}
    patch = {"metadata": {"annotations": {"team/note": "x"}}, "spec": {"replicas": 2, "template": {"spec": pod}}}
    kubectl("--namespace", namespace.name, "patch", "deployment/web", "--patch", json.dumps(patch))
    found = {difference.path: difference for difference in namespace.target().drift(done.manifests)}
    assert {path.rpartition("[")[0] if path.endswith("]") and path[-2].isdecimal() else path for path in found} == {
        "metadata.annotations['team/note']", "spec.replicas", "spec.template.spec.containers",
        "spec.template.spec.containers[1].env" if "spec.template.spec.containers[1].env" in found else "spec.template.spec.containers[0].env",
        "spec.template.spec.volumes",
        *(path for path in found if path.endswith("volumeMounts")),
    }  # fmt: skip
    assert {difference.manager for difference in found.values()} == {"kubectl-patch"}
    rules = [
        IgnoreRule("Deployment/*", parse_path("$.metadata.annotations")),
        IgnoreRule("*", parse_path("$.spec.replicas")),
    ]
    ignoring = namespace.target(ignored=rules)
    assert not {"spec.replicas", "metadata.annotations['team/note']"} & {
        one.path for one in ignoring.drift(done.manifests)
    }
    assert ignoring.drift(done.manifests), "the container is not ignored"
    healing = namespace.target(self_heal=True, ignored=rules[:1])
    assert namespace.deliver(1, documents, target=healing).outcome is Outcome.UNCHANGED
    left = namespace.target().drift(done.manifests)
    assert [one.path for one in left] == ["metadata.annotations['team/note']"], left
    spec = namespace.get("deployment/web")["spec"]
    assert [one["name"] for one in spec["template"]["spec"]["containers"]] == ["web"] and spec["replicas"] == 1


def killed_in(namespace: Namespace, number: int, documents: list[dict[str, Any]], patch: pytest.MonkeyPatch) -> None:
    """Deliver, and be killed once all of it is applied."""

    def wait(*_: object) -> None:
        raise KeyboardInterrupt

    with patch.context() as patched:
        patched.setattr(Watch, "wait", wait)
        with pytest.raises(KeyboardInterrupt):
            namespace.deliver(number, documents)


@pytest.mark.parametrize("is_bad", [False, True])
def test_what_a_killed_attempt_made_is_removed_by_the_next_and_what_it_changed_is_put_back(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, is_bad: bool
) -> None:
    assert namespace.deliver(0, [*manifests(HEALTHY), config("kept", a="0")]).outcome is Outcome.DEPLOYED
    half = [*manifests(HEALTHY), config("kept", a="1"), config("half"), named("side", HEALTHY)]
    killed_in(namespace, 1, half, monkeypatch)
    assert namespace.get("configmap/half")
    row = namespace.history.last_deployment("shop", "production", SHAS[1])
    assert row and row.outcome is Outcome.RUNNING
    later = manifests(HEALTHY)
    done = namespace.deliver(2, [broken(later[0]), later[1]] if is_bad else later)
    assert done.outcome is (Outcome.ROLLED_BACK if is_bad else Outcome.DEPLOYED), done.reason
    assert "Deployment/side is removed" in done.reason and "ConfigMap/half is removed" in done.reason
    names = {item["metadata"]["name"] for item in namespace.get("configmaps,deployments")["items"]}
    assert names - {"kube-root-ca.crt"} == {"web", "kept"}
    assert namespace.get("configmap/kept")["data"] == {"a": "0"}
    row = namespace.history.last_deployment("shop", "production", SHAS[1])
    assert row and row.outcome is Outcome.INTERRUPTED


def test_a_rollback_hook_that_the_cluster_refuses_is_seen_before_anything_is_applied(namespace: Namespace) -> None:
    assert namespace.deliver(0, manifests(HEALTHY)).outcome is Outcome.DEPLOYED
    undo = job("true")
    undo["metadata"] = {"name": "undo", "annotations": {"infraaudit.io/hook": "rollback"}}
    undo["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    refused = namespace.deliver(1, [*manifests(HEALTHY), config("new"), undo])
    assert (
        refused.outcome is Outcome.FAILED and "Job/undo" in refused.reason and "Nothing was changed" in refused.reason
    )
    assert "new" not in {item["metadata"]["name"] for item in namespace.get("configmaps")["items"]}
    undo["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    assert namespace.deliver(1, [*manifests(HEALTHY), undo]).outcome is Outcome.DEPLOYED
    assert namespace.get("jobs")["items"] == [], "it was only tried"


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
