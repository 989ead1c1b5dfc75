"""The Pod Security Standards on every pod template, wherever it stands."""

from typing import Any

import pytest

from tests.hostile.pods import CONTAINER, DEPLOYMENT, annotated, refused, secured, with_container, with_pod

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
