"""The way back is the inverse of the way there: in a cluster, after failures, kills, refusals and hands.

All of it in one namespace, each test with a history of its own.
"""

import json
from typing import Any

import pytest

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule, parse_path
from resources.targets.cluster.applying import Applying
from resources.targets.cluster.watching import Watch
from tests.e2e.clusters import HEALTHY, IMAGE, SHAS, Namespace, kubectl, manifests
from tests.e2e.delivery_objects import broken, config, job, named, namespace, shared
from tests.e2e.waiting import eventually

__all__ = ["namespace", "shared"]
pytestmark = pytest.mark.e2e


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
