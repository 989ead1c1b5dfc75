"""The Pod Security Standards on every pod template, and what else of an object reaches beyond the release."""

import copy
from typing import Any

import pytest

from infraaudit_domain.errors import ManifestError
from infraaudit_domain.kubernetes.manifest_policy import KINDS, ManifestPolicy
from infraaudit_domain.kubernetes.manifests import render_manifests

CONTAINER: dict[str, Any] = {"name": "web", "image": "web:1"}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
    "spec": {"selector": {"matchLabels": {"app": "web"}},
             "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}}},
}  # fmt: skip
EVERY_KIND = KINDS | {"Pod", "PodTemplate", "ReplicationController", "apps/ReplicaSet", "argoproj.io/Rollout"}


def refused(*documents: dict[str, Any], **policy: Any) -> str:
    """Why these manifests are refused; empty where they are not."""
    asked = ManifestPolicy(kinds=EVERY_KIND, **policy)
    try:
        render_manifests(
            [("a.yaml", document) for document in documents],
            project="shop", sha="a" * 40, environment="production", namespace="shop", image="built:1", policy=asked,
        )  # fmt: skip
    except ManifestError as error:
        return str(error)
    return ""


def with_pod(**change: Any) -> dict[str, Any]:
    document = copy.deepcopy(DEPLOYMENT)
    document["spec"]["template"]["spec"] |= change
    return document


def with_container(**change: Any) -> dict[str, Any]:
    return with_pod(containers=[CONTAINER | change])


def secured(**change: Any) -> dict[str, Any]:
    return with_container(securityContext=change)


def annotated(**annotations: str) -> dict[str, Any]:
    document = copy.deepcopy(DEPLOYMENT)
    document["spec"]["template"]["metadata"]["annotations"] = annotations
    return document


PROBE = {"httpGet": {"host": "169.254.169.254", "path": "/latest", "port": 80}}
BASELINE: dict[str, tuple[dict[str, Any], str, str]] = {
    "the node's network": (with_pod(hostNetwork=True), "spec.hostNetwork", "Host Namespaces"),
    "the node's processes": (with_pod(hostPID=True), "spec.hostPID", "Host Namespaces"),
    "the node's memory": (with_pod(hostIPC=True), "spec.hostIPC", "Host Namespaces"),
    "a truth that is a text": (with_pod(hostNetwork="true"), "spec.hostNetwork", "Host Namespaces"),
    "a process of a Windows node": (
        secured(windowsOptions={"hostProcess": True}), "windowsOptions.hostProcess", "HostProcess"),
    "the same for the pod": (
        with_pod(securityContext={"windowsOptions": {"hostProcess": True}}), "windowsOptions.hostProcess", "HostProcess"),
    "privileged": (secured(privileged=True), "containers[0].securityContext.privileged", "Privileged Containers"),
    "privileged before the start": (
        with_pod(initContainers=[CONTAINER | {"securityContext": {"privileged": True}}]),
        "initContainers[0].securityContext.privileged", "Privileged Containers"),
    "a capability": (secured(capabilities={"add": ["SYS_ADMIN"]}), "capabilities.add[0]", "Capabilities"),
    "all capabilities": (secured(capabilities={"add": ["ALL"]}), "capabilities.add[0]", "Capabilities"),
    "raw sockets": (secured(capabilities={"add": ["NET_RAW"]}), "capabilities.add[0]", "Capabilities"),
    "a list for a capability": (secured(capabilities={"add": [["CHOWN"]]}), "capabilities.add[0]", "Capabilities"),
    "capabilities that are no list": (secured(capabilities={"add": "SYS_ADMIN"}), "capabilities.add", "Capabilities"),
    "the node's files": (with_pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "uses hostPath", "HostPath Volumes"),
    "a port of the node": (with_container(ports=[{"containerPort": 1, "hostPort": 80}]), "ports[0].hostPort", "Host Ports"),
    "a probe of another host": (with_container(livenessProbe=PROBE), "livenessProbe.httpGet.host", "Host Probes"),
    "a readiness probe of another": (with_container(readinessProbe=PROBE), "readinessProbe.httpGet.host", "Host Probes"),
    "a TCP probe of another": (
        with_container(startupProbe={"tcpSocket": {"host": "10.0.0.1", "port": 6443}}), "tcpSocket.host", "Host Probes"),
    "a hook to another host": (
        with_container(lifecycle={"postStart": PROBE}), "lifecycle.postStart.httpGet.host", "Lifecycle Hooks"),
    "AppArmor off": (secured(appArmorProfile={"type": "Unconfined"}), "appArmorProfile.type", "AppArmor"),
    "AppArmor off for the pod": (
        with_pod(securityContext={"appArmorProfile": {"type": "Unconfined"}}), "appArmorProfile.type", "AppArmor"),
    "AppArmor off by annotation": (
        annotated(**{"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}), "annotations", "AppArmor"),
    "a profile of AppArmor that is seccomp's": (
        annotated(**{"container.apparmor.security.beta.kubernetes.io/web": "docker/default"}), "annotations", "AppArmor"),
    "a type of SELinux": (secured(seLinuxOptions={"type": "spc_t"}), "seLinuxOptions.type", "SELinux"),
    "a user of SELinux": (secured(seLinuxOptions={"user": "system_u"}), "seLinuxOptions.user", "SELinux"),
    "a role of SELinux": (
        with_pod(securityContext={"seLinuxOptions": {"role": "sysadm_r"}}), "seLinuxOptions.role", "SELinux"),
    "/proc unmasked": (secured(procMount="Unmasked"), "procMount", "/proc Mount Type"),
    "seccomp off": (secured(seccompProfile={"type": "Unconfined"}), "seccompProfile.type", "Seccomp"),
    "seccomp off for the pod": (
        with_pod(securityContext={"seccompProfile": {"type": "Unconfined"}}), "seccompProfile.type", "Seccomp"),
    "seccomp off by annotation": (
        annotated(**{"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}), "annotations", "Seccomp"),
    "a sysctl of the node": (
        with_pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}), "sysctls[0].name", "Sysctls"),
    "a security context that is a list": (with_pod(securityContext=["a"]), "securityContext", "shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", BASELINE)
def test_baseline(name: str) -> None:
    document, field, control = BASELINE[name]
    said = refused(document)
    assert "Deployment/web" in said and field in said and control in said
    assert control == "shape" or "to allow it: manifests." in said


ALLOWED: dict[str, dict[str, Any]] = {
    "nothing said": DEPLOYMENT,
    "capabilities that every container has": secured(capabilities={"add": ["CHOWN", "NET_BIND_SERVICE"], "drop": ["ALL"]}),
    "escalation, which restricted forbids": secured(allowPrivilegeEscalation=True),
    "the runtime's profiles": secured(seccompProfile={"type": "RuntimeDefault"}, appArmorProfile={"type": "Localhost"}),
    "a container's type of SELinux": secured(seLinuxOptions={"type": "container_t", "level": "s0:c1"}),
    "no profile of AppArmor": annotated(**{"container.apparmor.security.beta.kubernetes.io/web": ""}),
    "a sysctl that is safe since 1.37": with_pod(
        securityContext={"sysctls": [{"name": "net.ipv4.tcp_notsent_lowat", "value": "1"}]}),
    "a safe sysctl": with_pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}),
    "a probe of its own": with_container(livenessProbe={"httpGet": {"path": "/", "port": 80}}),
    "false, spelled out": with_pod(hostNetwork=False, hostPID=False, priorityClassName=""),
    "a port of the container": with_container(ports=[{"containerPort": 80, "hostPort": 0}]),
    "a wait for a node that comes back": with_pod(
        tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]),
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_what_baseline_allows(name: str) -> None:
    assert refused(ALLOWED[name]) == ""


GOOD = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED: dict[str, tuple[dict[str, Any], str]] = {
    "escalation": (secured(**GOOD | {"allowPrivilegeEscalation": True}), "Privilege Escalation"),
    "escalation that is not excluded": (
        secured(**{k: v for k, v in GOOD.items() if k != "allowPrivilegeEscalation"}), "Privilege Escalation"),
    "root by default": (secured(**{k: v for k, v in GOOD.items() if k != "runAsNonRoot"}), "Running as Non-root"),
    "root, said so": (secured(**GOOD | {"runAsUser": 0}), "Running as Non-root user"),
    "no profile": (secured(**{k: v for k, v in GOOD.items() if k != "seccompProfile"}), "Seccomp"),
    "capabilities kept": (secured(**GOOD | {"capabilities": {}}), "Capabilities"),
    "a capability that baseline allows": (
        secured(**GOOD | {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}), "Capabilities"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESTRICTED)
def test_restricted_by_setting(name: str) -> None:
    document, control = RESTRICTED[name]
    assert refused(document) == ""
    assert control in refused(document, pod_security="restricted")
    assert refused(secured(**GOOD), pod_security="restricted") == ""


def test_restricted_takes_the_pods_own_settings() -> None:
    of_pod = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    of_container = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    document = with_pod(securityContext=of_pod, containers=[CONTAINER | {"securityContext": of_container}])
    assert refused(document, pod_security="restricted") == ""
    overridden = with_pod(
        securityContext=of_pod, containers=[CONTAINER | {"securityContext": of_container | {"runAsNonRoot": False}}]
    )
    assert "Running as Non-root" in refused(overridden, pod_security="restricted")


BAD_POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"hostPID": True, "containers": [CONTAINER]}}
HIDDEN: dict[str, dict[str, Any]] = {
    "StatefulSet": {"apiVersion": "apps/v1", "spec": {"template": BAD_POD}},
    "DaemonSet": {"apiVersion": "apps/v1", "spec": {"template": BAD_POD}},
    "ReplicaSet": {"apiVersion": "apps/v1", "spec": {"template": BAD_POD}},
    "Job": {"apiVersion": "batch/v1", "spec": {"template": BAD_POD}},
    "CronJob": {"apiVersion": "batch/v1", "spec": {"jobTemplate": {"spec": {"template": BAD_POD}}}},
    "Pod": {"apiVersion": "v1", "spec": BAD_POD["spec"]},
    "PodTemplate": {"apiVersion": "v1", "template": BAD_POD},
    "ReplicationController": {"apiVersion": "v1", "spec": {"template": BAD_POD}},
    "Rollout": {"apiVersion": "argoproj.io/v1alpha1", "spec": {"steps": [{"podTemplate": BAD_POD}]}},
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_wherever_a_pod_hides(kind: str) -> None:
    said = refused(DEPLOYMENT, HIDDEN[kind] | {"kind": kind, "metadata": {"name": "hidden"}})
    assert f"{kind}/hidden" in said and "hostPID is not allowed" in said


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
