"""Two projects in one namespace of a real cluster: what one brought, nobody else touches, reads or deletes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.errors import ManifestError
from infraaudit_domain.kubernetes.manifests import render_manifests
from infraaudit_domain.kubernetes.ownership import field_manager
from tests.conftest import require
from tests.e2e.clusters import HEALTHY, IMAGE, SHAS, Namespace, kubectl, manifests, new_namespace

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("hostile-owners")]
CANARY = "canary-of-the-bank"


def named(documents: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The documents with their objects, labels and selectors under another name."""
    renamed: list[dict[str, Any]] = json.loads(json.dumps(documents).replace('"web"', f'"{name}"'))
    return renamed


def rendered(project: str, documents: list[dict[str, Any]], namespace: str, number: int = 1, **more: Any) -> Release:
    found = render_manifests(
        [("a.yaml", document) for document in documents],
        project=project, sha=SHAS[number], environment="production", namespace=namespace, image=IMAGE, **more,
    )  # fmt: skip
    return Release(project, "production", SHAS[number], IMAGE, yaml.safe_dump_all(found, sort_keys=False))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A namespace in which the bank has a Deployment, a Service, a Secret, a ConfigMap, an account and a claim."""
    require("kubernetes")
    with new_namespace(tmp_path_factory.mktemp("owners")) as found:
        brought = [
            *named(manifests(HEALTHY), "bank"),
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bank"}, "stringData": {"key": CANARY}},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bank"}, "data": {"key": CANARY}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bank"}},
        ]
        done = deploy(found, "bank", brought)
        assert done.healthy, done.reason
        kubectl("--namespace", found.name, "create", "secret", "generic", "nobodys", "--from-literal=key=x")
        yield found


def deploy(where: Namespace, project: str, documents: list[dict[str, Any]], number: int = 1, **more: Any) -> Rollout:
    target = where.target(prune=more.pop("prune", False), adopt=more.pop("adopt", ()))
    release = rendered(project, documents, where.name, number, **more)
    return target.deploy(release, timeout=120, on_progress=where.progress.append)


def everything(where: Namespace) -> dict[str, str]:
    kinds = "deployments,services,secrets,configmaps,serviceaccounts,replicasets"
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
            for one in where.get(kinds)["items"]
            if "bank" in one["metadata"]["name"] and one["kind"] not in ("Deployment", "ReplicaSet")}  # fmt: skip


OBJECTS: dict[str, list[dict[str, Any]]] = {
    "its Deployment": named(manifests("import sys; sys.exit('mallory')"), "bank"),
    "its Service": [*named(manifests(HEALTHY), "mallory")[:1], {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "bank"},
        "spec": {"selector": {"app": "mallory"}, "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]}}],
    "its Secret": [*named(manifests(HEALTHY), "mallory"),
                   {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bank"}, "stringData": {"more": "x"}}],
    "its ConfigMap": [*named(manifests(HEALTHY), "mallory"),
                      {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bank"}, "data": {"key": "x"}}],
    "its account": [*named(manifests(HEALTHY, pod={"serviceAccountName": "bank"}), "mallory"),
                    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bank"}}],
    "nobody's Secret": [*named(manifests(HEALTHY), "mallory"),
                        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "nobodys"}, "stringData": {"k": "x"}}],
    "our own account": [*named(manifests(HEALTHY), "mallory"),
                        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "infraaudit"}}],
    "the cluster's CA": [*named(manifests(HEALTHY), "mallory"), {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "x"}}],
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_of_somebody_else_refuses_the_release_before_anything_is_applied(
    name: str, shared: Namespace
) -> None:
    before = everything(shared)
    done = deploy(shared, "mallory", OBJECTS[name])
    assert not done.healthy and not done.changed
    assert "is there, and not of mallory in production" in done.reason and "`adopt` of the project" in done.reason
    assert everything(shared) == before
    assert not [one for one in shared.get("deployments")["items"] if one["metadata"]["name"] == "mallory"]


def _container(change: dict[str, Any]) -> list[dict[str, Any]]:
    documents = named(manifests(HEALTHY), "mallory")
    documents[0]["spec"]["template"]["spec"]["containers"][0] |= change
    return documents


def _pod(change: dict[str, Any]) -> list[dict[str, Any]]:
    return named(manifests(HEALTHY, pod=change), "mallory")


def _beside(kind: str, spec: dict[str, Any], api: str = "v1", **more: Any) -> list[dict[str, Any]]:
    other = {"apiVersion": api, "kind": kind, "metadata": {"name": "mallory-2"}, "spec": spec} | more
    return [*named(manifests(HEALTHY), "mallory"), other]


_VOLUME = {"name": "v"}
REFERENCES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "its Secret as environment": (_container({"envFrom": [{"secretRef": {"name": "bank"}}]}), "Secret/bank"),
    "its ConfigMap as environment": (_container({"envFrom": [{"configMapRef": {"name": "bank"}}]}), "ConfigMap/bank"),
    "a key of its Secret": (
        _container({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "bank", "key": "key"}}}]}), "Secret/bank"),
    "a key of its ConfigMap": (
        _container({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "bank", "key": "key"}}}]}),
        "ConfigMap/bank"),
    "its Secret as a volume": (_pod({"volumes": [_VOLUME | {"secret": {"secretName": "bank"}}]}), "Secret/bank"),
    "its Secret, projected": (
        _pod({"volumes": [_VOLUME | {"projected": {"sources": [{"secret": {"name": "bank"}}]}}]}), "Secret/bank"),
    "its Secret, optional": (
        _container({"envFrom": [{"secretRef": {"name": "bank", "optional": True}}]}), "Secret/bank"),
    "its Secret in an init container": (
        _pod({"initContainers": [{"name": "a", "image": "b", "envFrom": [{"secretRef": {"name": "bank"}}]}]}),
        "Secret/bank"),
    "its claim": (
        _pod({"volumes": [_VOLUME | {"persistentVolumeClaim": {"claimName": "bank"}}]}), "PersistentVolumeClaim/bank"),
    "its account": (_pod({"serviceAccountName": "bank"}), "ServiceAccount/bank"),
    "its account by the old name": (_pod({"serviceAccount": "bank"}), "ServiceAccount/bank"),
    "its registry's password": (_pod({"imagePullSecrets": [{"name": "bank"}]}), "Secret/bank"),
    "its certificate": (_beside("Ingress", {"tls": [{"hosts": ["a"], "secretName": "bank"}]}, "networking.k8s.io/v1"),
                        "Secret/bank"),
    "its Service behind an Ingress": (
        _beside("Ingress", {"defaultBackend": {"service": {"name": "bank", "port": {"number": 80}}}},
                "networking.k8s.io/v1"), "Service/bank"),
    "its Deployment, scaled": (
        _beside("HorizontalPodAutoscaler", {"maxReplicas": 3, "scaleTargetRef": {
            "apiVersion": "apps/v1", "kind": "Deployment", "name": "bank"}}, "autoscaling/v2"), "Deployment/bank"),
    "its Secret by an account": (
        _beside("ServiceAccount", {}, secrets=[{"name": "bank"}]), "Secret/bank"),
    "its pods by a Service": (_beside("Service", {"selector": {"app": "bank"}, "ports": [{"port": 80}]}), "chooses no pod"),
    "its pods by a policy": (
        _beside("NetworkPolicy", {"podSelector": {"matchLabels": {"app": "bank"}}}, "networking.k8s.io/v1"),
        "chooses no pod"),
    "its pods by a budget": (
        _beside("PodDisruptionBudget", {"minAvailable": 1, "selector": {"matchLabels": {"app": "bank"}}}, "policy/v1"),
        "chooses no pod"),
    "its logs, by our label": (
        _beside("CronJob", {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {
            "metadata": {"labels": {"infraaudit/project": "bank"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}}}}, "batch/v1"),
        "is not the commit's to set"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFERENCES)
def test_a_name_of_somebody_else_is_refused(name: str, shared: Namespace) -> None:
    documents, expected = REFERENCES[name]
    with pytest.raises(ManifestError) as caught:
        rendered("mallory", documents, shared.name)
    assert expected in str(caught.value)


def test_what_the_configuration_lists_may_be_used(shared: Namespace) -> None:
    documents = _container({"envFrom": [{"secretRef": {"name": "bank"}}]})
    assert "bank" in rendered("mallory", documents, shared.name, uses=frozenset({"Secret/bank"})).manifests


def test_a_selector_that_fits_both_projects_chooses_the_own_pods(shared: Namespace) -> None:
    """Mallory's pods and the bank's have the same label; its Service leads to its own alone, and so does a policy."""
    documents = named(manifests(HEALTHY), "mallory")
    documents[0]["spec"]["template"]["metadata"]["labels"]["app"] = "bank"
    documents[0]["spec"]["selector"]["matchLabels"] = {"app": "bank"}
    documents[1]["spec"]["selector"] = {"app": "bank"}
    documents[0]["spec"]["template"]["metadata"]["labels"]["of"] = "mallory"
    documents[0]["spec"]["selector"]["matchLabels"]["of"] = "mallory"
    policy = {"podSelector": {"matchLabels": {"app": "bank"}}, "policyTypes": ["Ingress"]}
    documents.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "mallory"},
                      "spec": policy})  # fmt: skip
    done = deploy(shared, "mallory", documents)
    assert done.healthy, done.reason
    ends = json.loads(kubectl("--namespace", shared.name, "get", "endpoints", "mallory", "-o", "json"))
    pods = {a["targetRef"]["name"] for subset in ends["subsets"] for a in subset.get("addresses", ())}
    assert pods and all(pod.startswith("mallory-") for pod in pods)
    chosen = shared.get("networkpolicy/mallory")["spec"]["podSelector"]["matchLabels"]
    assert chosen == {"app": "bank", "infraaudit/project": "mallory"}


def test_pruning_removes_nothing_of_another_project(shared: Namespace) -> None:
    before = everything(shared)
    assert deploy(shared, "eve", named(manifests(HEALTHY), "eve"), prune=True).healthy
    assert everything(shared) == before


def test_each_project_has_a_field_manager_of_its_own(shared: Namespace) -> None:
    managers = {entry["manager"] for entry in managed(shared, "configmap/bank")}
    assert managers == {field_manager("bank")}


def managed(where: Namespace, what: str) -> list[dict[str, Any]]:
    words = ("--namespace", where.name, "get", what, "-o", "json", "--show-managed-fields")
    return list(json.loads(kubectl(*words))["metadata"]["managedFields"])


def test_what_the_configuration_adopts_is_taken_over(tmp_path: Path) -> None:
    require("kubernetes")
    with new_namespace(tmp_path) as own:
        theirs = named(manifests(HEALTHY), "old")
        theirs[0]["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "IfNotPresent"
        kubectl("--namespace", own.name, "apply", "-f", "-", stdin=yaml.safe_dump_all(theirs))
        refused = deploy(own, "shop", theirs)
        assert not refused.changed and "Deployment/old is there" in refused.reason and "Service/old" in refused.reason
        done = deploy(own, "shop", theirs, adopt=("Deployment/old", "Service/old"))
        assert done.healthy, done.reason
        assert own.get("deployment/old")["metadata"]["labels"]["infraaudit/project"] == "shop"
        assert deploy(own, "shop", theirs, 2).healthy, "from then on it is the project's own"


def test_what_a_former_version_applied_changes_hands(tmp_path: Path) -> None:
    """Its objects carry our marks, and one field manager for all projects; what left the manifests goes away with it."""
    require("kubernetes")
    with new_namespace(tmp_path) as own:
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": "1", "b": "1"}}
        before = rendered("shop", [*manifests(HEALTHY), config], own.name)
        words = ("apply", "--server-side", "--field-manager=infraaudit", "-f", "-")
        kubectl("--namespace", own.name, *words, stdin=before.manifests)
        config["data"] = {"a": "2"}
        done = deploy(own, "shop", [*manifests(HEALTHY), config], 2)
        assert done.healthy, done.reason
        assert own.get("configmap/web")["data"] == {"a": "2"}
        names = {entry["manager"] for entry in managed(own, "configmap/web")}
        assert names == {field_manager("shop")}
        assert own.target().drift(rendered("shop", [*manifests(HEALTHY), config], own.name, 2).manifests) == []


@pytest.mark.parametrize("name", ["../../other/configmaps/x", "x?force=true", "x/status", "X", "x#y"])
def test_a_name_that_leads_elsewhere_is_never_asked_for(name: str, shared: Namespace) -> None:
    release = rendered("mallory", named(manifests(HEALTHY), "mallory"), shared.name)
    odd = Release(
        release.project, "production", SHAS[1], IMAGE, release.manifests.replace("name: mallory\n", f"name: {name}\n")
    )
    done = shared.target().deploy(odd, timeout=5, on_progress=lambda _: None)
    assert not done.healthy and not done.changed and ("is no name" in done.reason or "schema" in done.reason)
