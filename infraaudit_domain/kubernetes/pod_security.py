"""The published Pod Security Standards as a table, one row a control, and what else of a pod reaches beyond it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ as of Kubernetes 1.37, compared with the test data
of kubernetes/pod-security-admission. Deliberately absent: the controls on volumes, which are a list of the policy's own
(manifest_policy.py), and what the standards relax for Windows and for pods with a user namespace of their own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.errors import excerpt
from infraaudit_domain.kubernetes.fields import MISSHAPEN, items, mapping, values

LEVELS = ("privileged", "baseline", "restricted")
BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
RESTRICTED_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
RESTRICTED_VOLUMES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
        "secret",
    }
)  # fmt: skip
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
        "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat",
    }
)  # fmt: skip
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_TOLERATED = frozenset(
    f"node.kubernetes.io/{name}"
    for name in ("not-ready", "unreachable", "memory-pressure", "disk-pressure", "pid-pressure")
)
_CONFINED = frozenset({"RuntimeDefault", "Localhost"})
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")
_AFFINITIES = tuple(
    f"affinity.{kind}.{term}"
    for kind in ("podAffinity", "podAntiAffinity")
    for term in (
        "requiredDuringSchedulingIgnoredDuringExecution[*]",
        "preferredDuringSchedulingIgnoredDuringExecution[*].podAffinityTerm",
    )
)


@dataclass(frozen=True, slots=True)
class Control:
    """One row: a field of a pod's spec may only be missing, or have a value that is allowed."""

    name: str
    level: str
    """baseline or restricted; empty for what the standards leave open and reaches beyond the pod all the same."""
    allow: str
    """The word under ``manifests.allow`` in the gate policy that lets everything through."""
    fields: tuple[str, ...]
    is_allowed: Callable[[Any], bool]


def _of_containers(field: str) -> tuple[str, ...]:
    return (f"containers[*].securityContext.{field}",)


def _anywhere(field: str) -> tuple[str, ...]:
    return (f"securityContext.{field}", *_of_containers(field))


def _among(*allowed: object) -> Callable[[Any], bool]:
    return lambda value: any(type(value) is type(one) and value == one for one in allowed)


def _in(allowed: frozenset[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in allowed


def _is_tolerated(value: Any) -> bool:
    key = mapping(value).get("key")
    return isinstance(key, str) and key in _TOLERATED


CONTROLS = (
    Control("HostProcess", "baseline", "hostProcess", _anywhere("windowsOptions.hostProcess"), _among(False)),
    Control("Host Namespaces", "baseline", "hostNetwork", ("hostNetwork",), _among(False)),
    Control("Host Namespaces", "baseline", "hostPID", ("hostPID",), _among(False)),
    Control("Host Namespaces", "baseline", "hostIPC", ("hostIPC",), _among(False)),
    Control("Privileged Containers", "baseline", "privileged", _of_containers("privileged"), _among(False)),
    Control("Host Ports", "baseline", "hostPort", ("containers[*].ports[*].hostPort",), _among(0)),
    Control(
        "Host Probes / Lifecycle Hooks", "baseline", "probeHost",
        tuple(f"containers[*].{probe}.{way}.host" for probe in _PROBES for way in ("httpGet", "tcpSocket")), _among(""),
    ),
    Control("AppArmor", "baseline", "appArmor", _anywhere("appArmorProfile.type"), _in(_CONFINED)),
    Control("SELinux", "baseline", "seLinux", _anywhere("seLinuxOptions.type"), _in(_SELINUX_TYPES)),
    Control("SELinux", "baseline", "seLinux", _anywhere("seLinuxOptions.user"), _among("")),
    Control("SELinux", "baseline", "seLinux", _anywhere("seLinuxOptions.role"), _among("")),
    Control("/proc Mount Type", "baseline", "procMount", _of_containers("procMount"), _among("Default")),
    Control("Seccomp", "baseline", "seccomp", _anywhere("seccompProfile.type"), _in(_CONFINED)),
    Control("Sysctls", "baseline", "sysctls", ("securityContext.sysctls[*].name",), _in(_SYSCTLS)),
    Control("Running as Non-root user", "restricted", "runAsUser", _anywhere("runAsUser"),
            lambda value: type(value) is int and value > 0),
    Control("Host aliases", "", "hostAliases", ("hostAliases[*]",), _among()),
    Control("Priority", "", "priorityClassName", ("priorityClassName",), _among("")),
    Control("Priority", "", "priorityClassName", ("priority",), _among(0)),
    Control("Choice of node", "", "nodeName", ("nodeName",), _among("")),
    Control("Tolerations", "", "tolerations", ("tolerations[*]",), _is_tolerated),
    Control("Scheduler", "", "schedulerName", ("schedulerName",), _among("", "default-scheduler")),
    Control("Devices", "", "resourceClaims", ("resourceClaims[*]",), _among()),
    Control("Other namespaces' pods", "", "affinityNamespaces",
            tuple(f"{term}.{name}" for term in _AFFINITIES for name in ("namespaces", "namespaceSelector")), _among([])),
)  # fmt: skip
_OF_EVERY_CONTAINER = (
    ("Privilege Escalation", "allowPrivilegeEscalation", "allowPrivilegeEscalation", False, _among(False)),
    ("Running as Non-root", "runAsNonRoot", "runAsNonRoot", True, _among(True)),
    ("Seccomp", "seccomp", "seccompProfile.type", True, _in(_CONFINED)),
)
"""What restricted wants to be set: control, word, field, whether the pod's own setting will do, what is allowed."""
_PROFILES = ("runtime/default", "docker/default")
_ANNOTATIONS = (
    ("AppArmor", "appArmor", "container.apparmor.security.beta.kubernetes.io/", ("runtime/default", "")),
    ("Seccomp", "seccomp", "seccomp.security.alpha.kubernetes.io/pod", _PROFILES),
    ("Seccomp", "seccomp", "container.seccomp.security.alpha.kubernetes.io/", _PROFILES),
)
"""Control, word, beginning of the key, and which values confine beside localhost/…."""
ALLOWABLE = frozenset(control.allow for control in CONTROLS) | {name for _, name, *_ in _OF_EVERY_CONTAINER}


def pod_faults(spec: Mapping[str, Any], where: str, level: str, allow: frozenset[str]) -> Iterator[str]:
    """Every reason to refuse a pod's spec, each with its field, its control and how to allow it."""
    for control in CONTROLS:
        if control.allow in allow or not applies(control.level, level):
            continue
        for field in control.fields:
            for place, value in values(spec, field, where):
                if value is MISSHAPEN:
                    yield f"{place} has not the shape that Kubernetes gives it"
                elif value is not None and not control.is_allowed(value):
                    yield refusal(place, value, control.name, control.level, control.allow)
    if level == "restricted":
        yield from _what_is_missing(spec, where, allow)


def annotation_faults(annotations: Mapping[Any, Any], where: str, level: str, allow: frozenset[str]) -> Iterator[str]:
    """The same for a pod's annotations, in which older versions of Kubernetes keep profiles."""
    for name, word, prefix, confining in _ANNOTATIONS if level != "privileged" else ():
        for key, value in annotations.items():
            is_confined = str(value) in confining or str(value).startswith("localhost/")
            if str(key).startswith(prefix) and word not in allow and not is_confined:
                yield refusal(f"{where}[{excerpt(str(key), 120)}]", value, name, "baseline", word)


def applies(control: str, level: str) -> bool:
    """Whether a control of a level is among those of the policy's level."""
    return not control or LEVELS.index(control) <= LEVELS.index(level)


def refusal(place: str, value: object, control: str, level: str, allow: str) -> str:
    """Why a value is refused, and how to allow it."""
    origin = f"{control} of the Pod Security Standards, {level}" if level else f"{control}: it reaches beyond the pod"
    return f"{place} is not allowed to be {excerpt(str(value), 80)!r} ({origin}; to allow it: {how_to_allow(allow)})"


def how_to_allow(word: str) -> str:
    return f"manifests.allow: [{word}] in the gate policy"


def _what_is_missing(spec: Mapping[str, Any], where: str, allow: frozenset[str]) -> Iterator[str]:
    for name, word, field, is_of_pod, is_allowed in _OF_EVERY_CONTAINER:
        of_pod = [value for _, value in values(spec, f"securityContext.{field}")] if is_of_pod else []
        for place, container in values(spec, "containers[*]", where) if word not in allow else ():
            own = [value for _, value in values(mapping(container), f"securityContext.{field}")]
            if not any(map(is_allowed, (own or of_pod)[:1])):
                yield (
                    f"{place}.securityContext.{field} has to be set ({name} of the Pod Security Standards, restricted; "
                    f"to allow it: {how_to_allow(word)})"
                )
    for place, container in values(spec, "containers[*]", where) if "capabilities" not in allow else ():
        dropped = [value for _, value in values(mapping(container), "securityContext.capabilities.drop")]
        if "ALL" not in items((dropped or [None])[0]):
            yield (
                f"{place}.securityContext.capabilities.drop has to hold ALL (Capabilities of the Pod Security Standards, "
                f"restricted; to allow it: {how_to_allow('capabilities')})"
            )
