"""What of an object reaches beyond its release: other pods, nodes, namespaces and the cloud."""

from typing import Any

import pytest

from tests.hostile.pods import CONTAINER, DEPLOYMENT, annotated, refused, with_pod


def beside(kind: str, api: str = "v1", metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x"} | (metadata or {}), "spec": spec}


NET, OWN = "networking.k8s.io/v1", {"matchLabels": {"app": "web"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
REACHES: dict[str, tuple[dict[str, Any], str, str]] = {
    "other hosts' names": (with_pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["bank"]}]), "hostAliases", "hostAliases"),
    "a place before others": (
        with_pod(priorityClassName="system-node-critical"), "priorityClassName", "priorityClassName"),
    "a priority by number": (with_pod(priority=2_000_000_000), "spec.priority", "priorityClassName"),
    "a node of its choice": (with_pod(nodeName="control-plane"), "nodeName", "nodeName"),
    "every taint": (with_pod(tolerations=[{"operator": "Exists"}]), "tolerations[0]", "tolerations"),
    "the control plane's taint": (
        with_pod(tolerations=[{"key": "node-role.kubernetes.io/control-plane"}]), "tolerations[0]", "tolerations"),
    "another scheduler": (with_pod(schedulerName="mine"), "schedulerName", "schedulerName"),
    "distance from everybody": (
        with_pod(affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "namespaceSelector": {}, "labelSelector": {}}]}}),
        "namespaceSelector", "affinityNamespaces"),
    "a name outside": (beside("Service", type="ExternalName", externalName="evil.example"), "externalName", "ExternalName"),
    "a port on every node": (beside("Service", type="NodePort", ports=[]), "spec.type NodePort", "NodePort"),
    "a balancer of the cloud": (beside("Service", type="LoadBalancer", ports=[]), "spec.type", "LoadBalancer"),
    "other addresses' traffic": (beside("Service", externalIPs=["8.8.8.8"]), "externalIPs", "externalIPs"),
    "nginx code": (
        beside("Ingress", NET, {"annotations": {"nginx.ingress.kubernetes.io/configuration-snippet": "x"}}),
        "configuration-snippet", "ingressAnnotations"),
    "nginx code for the server": (
        beside("Ingress", NET, {"annotations": {"nginx.ingress.kubernetes.io/server-snippet": "x"}}),
        "server-snippet", "ingressAnnotations"),
    "HAProxy's configuration": (
        beside("Ingress", NET, {"annotations": {"haproxy.org/backend-config-snippet": "x"}}), "snippet", "ingressAnnotations"),
    "another namespace's Secret": (
        beside("Ingress", NET, {"annotations": {"nginx.ingress.kubernetes.io/auth-tls-secret": "bank/ca"}}),
        "auth-tls-secret", "ingressAnnotations"),
    "all pods, no traffic": (beside("NetworkPolicy", NET, podSelector={}), "all pods", "allPods"),
    "all pods, by no selector": (beside("NetworkPolicy", NET, policyTypes=["Egress"]), "all pods", "allPods"),
    "all pods, by a null": (
        beside("NetworkPolicy", NET, podSelector={"matchLabels": None}), "all pods", "allPods"),
    "a budget of all pods": (beside("PodDisruptionBudget", "policy/v1", minAvailable=1, selector={}), "all pods", "allPods"),
    "no node is ever drained": (
        beside("PodDisruptionBudget", "policy/v1", maxUnavailable=0, selector=OWN), "maxUnavailable", "blockedEvictions"),
    "not even by percent": (
        beside("PodDisruptionBudget", "policy/v1", minAvailable="100%", selector=OWN), "minAvailable", "blockedEvictions"),
    "10,000 replicas by a scaler": (
        beside("HorizontalPodAutoscaler", "autoscaling/v2", maxReplicas=10_000,
               scaleTargetRef={"kind": "Deployment", "name": "web"}), "maxReplicas", "manyReplicas"),
    "10,000 replicas": (DEPLOYMENT | {"spec": DEPLOYMENT["spec"] | {"replicas": 10_000}}, "replicas", "manyReplicas"),
    "a copy of a claim": (
        beside("PersistentVolumeClaim", **CLAIM, dataSource={"kind": "PersistentVolumeClaim", "name": "bank"}),
        "dataSource", "claimSource"),
    "a copy of another namespace's": (
        beside("PersistentVolumeClaim", **CLAIM, dataSourceRef={"kind": "VolumeSnapshot", "name": "b", "namespace": "b"}),
        "dataSourceRef", "claimSource"),
    "a volume by its name": (beside("PersistentVolumeClaim", **CLAIM, volumeName="pv-bank"), "volumeName", "claimSource"),
    "a copy for each replica": (
        beside("StatefulSet", "apps/v1", template=DEPLOYMENT["spec"]["template"], volumeClaimTemplates=[
            {"metadata": {"name": "d"}, "spec": CLAIM | {"dataSource": {"kind": "VolumeSnapshot", "name": "b"}}}]),
        "dataSource", "claimSource"),
    "a copy for a pod": (
        with_pod(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": {
            "spec": CLAIM | {"volumeName": "pv-bank"}}}}]), "volumeName", "claimSource"),
    "what is never deleted": (
        beside("ConfigMap", metadata={"finalizers": ["example.org/never"]}), "finalizers", "finalizers"),
    "what goes with another's": (
        beside("ConfigMap", metadata={"ownerReferences": [{"kind": "Deployment", "name": "bank", "uid": "1"}]}),
        "ownerReferences", "ownerReferences"),
    "a role in a cloud": (
        beside("ServiceAccount", metadata={"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/admin"}}),
        "role-arn", "cloudRoles"),
    "another network": (annotated(**{"k8s.v1.cni.cncf.io/networks": "kube-system/host"}), "networks", "otherNetworks"),
    "pods by hand": (
        beside("Job", "batch/v1", manualSelector=True, template=DEPLOYMENT["spec"]["template"]), "manualSelector",
        "manualSelector"),
}  # fmt: skip


@pytest.mark.parametrize("name", REACHES)
def test_what_reaches_beyond_the_release(name: str) -> None:
    document, field, word = REACHES[name]
    documents = [document] if document["metadata"]["name"] == "web" else [DEPLOYMENT, document]
    said = refused(*documents)
    assert field in said and f"manifests.allow: [{word}]" in said
    assert f"manifests.allow: [{word}]" not in refused(*documents, allow=frozenset({word}))


def test_a_token_of_an_account_is_never_handed_out() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "x"},
        "type": "kubernetes.io/service-account-token",
    }
    assert "ServiceAccount's token" in refused(DEPLOYMENT, secret)


@pytest.mark.parametrize("image", ["infraaudit/bank:0123456789ab", "sha256:" + "a" * 64, "0123456789ab"])
def test_an_image_that_was_built_for_another_project(image: str) -> None:
    side = with_pod(containers=[CONTAINER, {"name": "side", "image": image}])
    assert "may be another project's" in refused(side)
    assert refused(with_pod(containers=[CONTAINER, {"name": "side", "image": "infraaudit/shop:0123456789ab"}])) == ""
