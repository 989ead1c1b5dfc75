"""Convert a release's manifests to containers that an engine can run: one pod, its volumes, its probes.

Works on parsed documents. Deliberately absent: replicas beyond one, several workloads, cluster DNS, service accounts;
what would need the host (hostPath, hostNetwork, privileged, added capabilities) is refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from infraaudit_domain.errors import ManifestError, excerpt
from infraaudit_domain.kubernetes.phases import hook_of
from infraaudit_domain.kubernetes.pod_values import Values, expand, list_of, number, quantity, text_of
from infraaudit_domain.kubernetes.probes import Probe, read_probe

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_HOST_KEYS = ("hostNetwork", "hostPID", "hostIPC")
_HARMLESS_CAPABILITIES = {"NET_BIND_SERVICE"}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CLAIM_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,198}[a-z0-9])?")


class VolumeKind(StrEnum):
    EMPTY = "empty"
    MEMORY = "memory"
    CLAIM = "claim"
    """Kept beyond the pod."""
    FILES = "files"
    """Filled with a ConfigMap's or a Secret's entries."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Where files of a pod live: empty at first, kept beyond the pod (``claim``), or filled with ``files``."""

    name: str
    """A claim's is that of the claim, which a pod may call otherwise."""
    kind: VolumeKind
    files: tuple[tuple[str, str], ...] = ()
    mebibytes: int | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    volume: Volume
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """One container, as an engine understands it."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    user: str = ""
    """``uid[:gid]``; empty is the image's own."""
    non_root: bool = False
    read_only_root: bool = False
    drop: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    memory_bytes: int | None = None
    cpus: float | None = None
    ports: tuple[int, ...] = ()
    readiness: Probe | None = None
    startup: Probe | None = None
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True, slots=True)
class PodPlan:
    """What the engine runs for one release."""

    workload: str
    """``Kind/name``, for messages."""
    containers: tuple[ContainerPlan, ...]
    init_containers: tuple[ContainerPlan, ...] = ()
    service_port: int | None = None
    """The container's port that the Service leads to, or its first one."""
    deadline_seconds: float = 600
    grace_seconds: int = 30
    min_ready_seconds: float = 0

    @property
    def ports(self) -> tuple[int, ...]:
        """Every port that has to be reachable from outside: named by a container, the Service or a probe."""
        probes = [probe for c in self.containers for probe in (c.readiness, c.startup) if probe and probe.port]
        wanted = [port for c in self.containers for port in c.ports] + [probe.port for probe in probes]
        return tuple(dict.fromkeys([*([self.service_port] if self.service_port else []), *wanted]))


def plan_pod(documents: Sequence[Mapping[str, Any]]) -> PodPlan:
    """The one pod of these manifests. Raises ManifestError that says what the container target cannot run."""
    workloads = [document for document in documents if document.get("kind") in _WORKLOADS]
    if len(workloads) != 1:
        raise ManifestError(
            f"Containers without a cluster run one workload; these manifests have {len(workloads)}. Deploy to Kubernetes."
        )
    if hook := next((document for document in documents if hook_of(document)), None):
        raise ManifestError(
            f"Job/{text_of((hook.get('metadata') or {}).get('name'))} is a {hook_of(hook)} hook, and containers without "
            "a cluster run no Jobs. Deploy to Kubernetes."
        )
    workload = workloads[0]
    name = f"{workload['kind']}/{text_of((workload.get('metadata') or {}).get('name'))}"
    try:
        return _pod(name, workload.get("spec") or {}, documents)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise ManifestError(
            f"{name} is not a workload that Kubernetes would take: {excerpt(str(error), 200)}"
        ) from error


def _pod(name: str, spec: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> PodPlan:
    template = spec.get("template") or {}
    pod = template.get("spec") or {}
    if hosted := [key for key in _HOST_KEYS if pod.get(key)]:
        raise ManifestError(f"{name} asks for {', '.join(hosted)}, which containers of a commit do not get.")
    values = Values.of(documents, name.partition("/")[2], (template.get("metadata") or {}).get("labels") or {})
    volumes = {text_of(entry.get("name")): _volume(name, entry, values) for entry in list_of(pod, "volumes")}
    ports = _named_ports(pod)

    def containers(key: str) -> tuple[ContainerPlan, ...]:
        return tuple(_container(name, entry, pod, volumes, values, ports) for entry in list_of(pod, key))

    plans = containers("containers")
    if not plans:
        raise ManifestError(f"{name} has no container.")
    return PodPlan(
        workload=name,
        containers=plans,
        init_containers=containers("initContainers"),
        service_port=_service_port(documents, template, ports) or next((p for c in plans for p in c.ports), None),
        deadline_seconds=number(spec.get("progressDeadlineSeconds"), 600),
        grace_seconds=int(number(pod.get("terminationGracePeriodSeconds"), 30)),
        min_ready_seconds=number(spec.get("minReadySeconds"), 0),
    )


def _container(
    workload: str,
    entry: Mapping[str, Any],
    pod: Mapping[str, Any],
    volumes: Mapping[str, Volume],
    values: Values,
    ports: Mapping[str, int],
) -> ContainerPlan:
    name = text_of(entry.get("name"))
    if not _NAME.fullmatch(name):
        raise ManifestError(f"{workload} has a container of the odd name {excerpt(name, 80)!r}.")
    security = {**(pod.get("securityContext") or {}), **(entry.get("securityContext") or {})}
    capabilities = security.get("capabilities") or {}
    add = tuple(text_of(capability) for capability in capabilities.get("add") or ())
    if security.get("privileged") or (odd := set(add) - _HARMLESS_CAPABILITIES):
        what = "be privileged" if security.get("privileged") else f"have {', '.join(sorted(odd))}"
        raise ManifestError(f"Container {name} of {workload} wants to {what}, which containers of a commit may not.")
    limits = (entry.get("resources") or {}).get("limits") or {}
    env = values.environment(f"container {name} of {workload}", entry)
    return ContainerPlan(
        name=name,
        image=text_of(entry.get("image")),
        command=tuple(expand(text_of(word), env) for word in entry.get("command") or ()),
        args=tuple(expand(text_of(word), env) for word in entry.get("args") or ()),
        env=tuple(env.items()),
        working_dir=text_of(entry.get("workingDir")),
        user=_user(security),
        non_root=bool(security.get("runAsNonRoot")),
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
        drop=tuple(text_of(capability) for capability in capabilities.get("drop") or ()),
        add=add,
        memory_bytes=int(quantity(limits["memory"])) if "memory" in limits else None,
        cpus=quantity(limits["cpu"]) if "cpu" in limits else None,
        ports=tuple(int(port["containerPort"]) for port in list_of(entry, "ports") if port.get("protocol") != "UDP"),
        readiness=read_probe(entry.get("readinessProbe"), ports),
        startup=read_probe(entry.get("startupProbe"), ports),
        mounts=tuple(_mount(workload, mount, volumes) for mount in list_of(entry, "volumeMounts")),
    )


def _user(security: Mapping[str, Any]) -> str:
    user, group = security.get("runAsUser"), security.get("runAsGroup")
    if user is None:
        return ""
    return str(int(user)) if group is None else f"{int(user)}:{int(group)}"


def _volume(workload: str, entry: Mapping[str, Any], values: Values) -> Volume:
    name = text_of(entry.get("name"))
    if not _NAME.fullmatch(name):
        raise ManifestError(f"{workload} has a volume of the odd name {excerpt(name, 80)!r}.")
    if "emptyDir" in entry:
        empty = entry["emptyDir"] or {}
        size = max(1, int(quantity(empty["sizeLimit"])) >> 20) if "sizeLimit" in empty else None
        return Volume(name, VolumeKind.MEMORY if empty.get("medium") == "Memory" else VolumeKind.EMPTY, mebibytes=size)
    if "persistentVolumeClaim" in entry:
        claim = text_of(entry["persistentVolumeClaim"]["claimName"])
        if not _CLAIM_NAME.fullmatch(claim):
            raise ManifestError(f"Volume {name} of {workload} is a claim of the odd name {excerpt(claim, 80)!r}.")
        return Volume(claim, VolumeKind.CLAIM)
    for kind, key in (("configMap", "name"), ("secret", "secretName")):
        if kind in entry:
            files = values.files(workload, kind, text_of(entry[kind].get(key)), entry[kind])
            return Volume(name, VolumeKind.FILES, files)
    kinds = ", ".join(sorted(set(entry) - {"name"}))
    raise ManifestError(f"Volume {name} of {workload} is a {kinds}, which containers without a cluster do not get.")


def _mount(workload: str, entry: Mapping[str, Any], volumes: Mapping[str, Volume]) -> Mount:
    volume, path = volumes.get(text_of(entry.get("name"))), text_of(entry.get("mountPath"))
    if volume is None:
        raise ManifestError(f"{workload} mounts {entry.get('name')}, and has no such volume.")
    if entry.get("subPath") or entry.get("subPathExpr"):
        raise ManifestError(f"{workload} mounts a subPath of {volume.name}, which the container target cannot do.")
    if not re.fullmatch(r"/[\w./-]+", path) or ".." in path.split("/"):
        raise ManifestError(f"{workload} mounts {volume.name} at the odd path {excerpt(path, 100)!r}.")
    return Mount(volume, path.rstrip("/"), bool(entry.get("readOnly")))


def _named_ports(pod: Mapping[str, Any]) -> dict[str, int]:
    entries = (port for container in list_of(pod, "containers") for port in list_of(container, "ports"))
    return {text_of(port["name"]): int(port["containerPort"]) for port in entries if port.get("name")}


def _service_port(
    documents: Sequence[Mapping[str, Any]], template: Mapping[str, Any], named: Mapping[str, int]
) -> int | None:
    labels = (template.get("metadata") or {}).get("labels") or {}
    for document in documents:
        spec = document.get("spec") or {}
        selector = spec.get("selector") or {}
        if document.get("kind") == "Service" and selector and selector.items() <= labels.items():
            for port in list_of(spec, "ports"):
                target = port.get("targetPort", port.get("port"))
                found = named.get(target) if isinstance(target, str) and not target.isdecimal() else int(target)
                if found:
                    return found
    return None
