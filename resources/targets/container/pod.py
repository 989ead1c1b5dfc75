"""One pod of the container target: containers that share a network, started, probed and removed together.

The first container owns the network and publishes every port on a spare one of loopback. Deliberately absent: which pod
is live (target.py).
"""

import io
import json
import socket
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import EngineError, ManifestError, excerpt
from infraaudit_domain.kubernetes.pod_spec import ContainerPlan, Mount, PodPlan, Volume, VolumeKind
from resources.engine import Engine
from resources.engine.client import label_words
from resources.targets.container.probing import HOST

_PORT_TAKEN = ("port is already allocated", "address already in use", "ports are not available")
_START_TRIES = 5
_DEFAULT_MEMORY = 2 << 30
_MOST_PROCESSES = 1024
_LOG_OPTIONS = ["--log-opt=max-size=10m", "--log-opt=max-file=3"]


@dataclass(frozen=True, slots=True)
class ContainerState:
    """The current state of one container, from the engine."""

    status: str
    exit_code: int
    restarts: int
    out_of_memory: bool


@dataclass(frozen=True, slots=True)
class Pod:
    """The containers of one release; ``key`` distinguishes releases of a project and environment."""

    engine: Engine
    plan: PodPlan
    release: Release
    key: str

    @property
    def labels(self) -> dict[str, str]:
        return pod_labels(self.release.project, self.release.environment) | {
            "infraaudit.release": self.key,
            "infraaudit.sha": self.release.sha,
        }

    def name(self, container: str) -> str:
        parts = (self.release.project, self.release.environment, self.release.sha[:8], self.key[:6], container)
        return f"infraaudit-{'-'.join(parts)}"

    def is_there(self) -> bool:
        """Whether every container of the pod exists and was not stopped."""
        states = [self.state(container) for container in self.plan.containers]
        return all(state is not None and state.status in ("running", "restarting") for state in states)

    def start(self) -> None:
        """Make and start all containers. Raises EngineError, and ManifestError where the pod cannot run or an init
        container fails."""
        for plan in self.plan.init_containers:
            self._run_init(plan)
        first, *others = self.plan.containers
        self._start_first(first)
        for plan in others:
            self._create(plan, [f"--network=container:{self.name(first.name)}", "--restart=unless-stopped"])
            self.engine.run("start", self.name(plan.name))

    def remove(self, grace_seconds: int = 0) -> None:
        """Stop the containers, last first, and remove them with what they keep no longer."""
        remove_pod(self.engine, self.labels, grace_seconds)

    def state(self, container: ContainerPlan) -> ContainerState | None:
        found = self.engine.inspect("container", self.name(container.name))
        if found is None:
            return None
        state: dict[str, Any] = found.get("State") or {}
        return ContainerState(
            str(state.get("Status", "")),
            int(state.get("ExitCode") or 0),
            int(found.get("RestartCount") or 0),
            bool(state.get("OOMKilled")),
        )

    def published(self) -> dict[int, int]:
        """The ports of this machine, by those of the pod."""
        found = self.engine.inspect("container", self.name(self.plan.containers[0].name)) or {}
        text = ((found.get("Config") or {}).get("Labels") or {}).get("infraaudit.ports", "{}")
        return {int(port): int(own) for port, own in json.loads(text).items()}

    def url(self) -> str | None:
        port = self.published().get(self.plan.service_port or 0)
        return f"http://{HOST}:{port}" if port else None

    def log_end(self, container: str, lines: int = 30) -> str:
        done = self.engine.run("logs", f"--tail={lines}", self.name(container), timeout=20, check=False)
        return excerpt(f"{done.text}\n{done.stderr.decode('utf-8', 'replace')}", 4000)

    def _start_first(self, plan: ContainerPlan) -> None:
        for attempt in range(_START_TRIES):
            ports = dict(zip(self.plan.ports, spare_ports(len(self.plan.ports)), strict=True))
            publish = [f"--publish={HOST}:{own}:{port}" for port, own in ports.items()]
            labels = label_words({"infraaudit.ports": json.dumps(ports)})
            self._create(plan, [*publish, *labels, "--restart=unless-stopped"])
            try:
                self.engine.run("start", self.name(plan.name))
                return
            except EngineError as error:
                self.engine.remove_container(self.name(plan.name))
                # Another program may have taken the port since we checked it.
                if attempt == _START_TRIES - 1 or not any(words in str(error) for words in _PORT_TAKEN):
                    raise

    def _run_init(self, plan: ContainerPlan) -> None:
        self._create(plan, ["--restart=no"])
        done = self.engine.run("start", "--attach", self.name(plan.name), timeout=300, check=False, max_output=65536)
        if done.returncode != 0:
            raise ManifestError(
                f"The init container {plan.name} ended with exit code {done.returncode}: {excerpt(done.error_text, 1000)}"
            )

    def _create(self, plan: ContainerPlan, network: list[str]) -> None:
        name = self.name(plan.name)
        self.engine.remove_container(name)
        if plan.non_root and (not plan.user or plan.user.split(":")[0] == "0"):
            self._refuse_root(plan)
        for mount in plan.mounts:
            if mount.volume.kind is not VolumeKind.MEMORY:
                self._make_volume(mount.volume, plan.image)
        words = [*label_words(self.labels | {"infraaudit.container": plan.name}), *network, *_limits(plan)]
        words += [_mount_word(mount, self._volume_name(mount.volume)) for mount in plan.mounts]
        words += [f"--env={key}={value}" for key, value in plan.env]
        words += [f"--entrypoint={plan.command[0]}"] if plan.command else []
        self.engine.run("create", "--name", name, *words, "--", plan.image, *plan.command[1:], *plan.args, timeout=300)

    def _refuse_root(self, plan: ContainerPlan) -> None:
        image = self.engine.inspect("image", plan.image)
        user = str(((image or {}).get("Config") or {}).get("User") or "")
        if image is not None and user.split(":")[0] in ("", "0", "root"):
            raise ManifestError(f"Container {plan.name} has runAsNonRoot, and its image runs as root: set runAsUser.")

    def _make_volume(self, volume: Volume, image: str) -> None:
        name = self._volume_name(volume)
        labels = self.labels if volume.kind is not VolumeKind.CLAIM else {"infraaudit.project": self.release.project}
        found = self.engine.inspect("volume", name)
        if found is not None and (found.get("Labels") or {}).get("infraaudit.project") != self.release.project:
            # Another project's and environment's names may make the same name together.
            raise ManifestError(f"The volume {name} is not of {self.release.project}: rename the claim {volume.name}.")
        self.engine.run("volume", "create", *label_words(labels), name)
        if volume.kind is not VolumeKind.FILES:
            return
        # Nothing can be copied into a read-only mount: the files are copied through a container that never starts.
        carrier = f"{name}-carrier"
        self.engine.remove_container(carrier)
        try:
            mount = f"--volume={name}:/files:nocopy"
            self.engine.run("create", "--name", carrier, *label_words(self.labels), mount, "--", image, "never-started")
            self.engine.run("cp", "-", f"{carrier}:/files", stdin=_archive(volume))
        finally:
            self.engine.remove_container(carrier)

    def _volume_name(self, volume: Volume) -> str:
        if volume.kind is VolumeKind.CLAIM:
            return f"infraaudit-{self.release.project}-{self.release.environment}-claim-{volume.name}"
        return self.name(f"volume-{volume.name}")


def pod_labels(project: str, environment: str) -> dict[str, str]:
    """The labels that every container of a project's environment carries."""
    return {"infraaudit.kind": "release", "infraaudit.project": project, "infraaudit.environment": environment}


def remove_pod(engine: Engine, labels: Mapping[str, str], grace_seconds: int) -> None:
    """Stop and remove all containers and volumes with these labels."""
    names = engine.containers(labels)
    if grace_seconds and names:
        engine.run("stop", "-t", str(grace_seconds), *names, timeout=grace_seconds + 60, check=False)
    for name in names:
        engine.remove_container(name)
    for name in engine.volumes(labels):
        engine.remove_volume(name)


def spare_ports(count: int) -> list[int]:
    """Loopback ports on which nothing listens right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind((HOST, 0))
        return [int(listener.getsockname()[1]) for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def _limits(plan: ContainerPlan) -> list[str]:
    memory = plan.memory_bytes or _DEFAULT_MEMORY
    words = [
        # An engine refuses less than 6 MB.
        f"--memory={max(memory, 6 << 20)}b",
        f"--memory-swap={max(memory, 6 << 20)}b",
        f"--pids-limit={_MOST_PROCESSES}",
        "--security-opt=no-new-privileges",
        # The manifest's probes count, not the image's own health check.
        "--no-healthcheck",
        *_LOG_OPTIONS,
        *(f"--cap-drop={capability}" for capability in plan.drop),
        *(f"--cap-add={capability}" for capability in plan.add),
    ]
    words += [f"--cpus={max(plan.cpus, 0.01):g}"] if plan.cpus else []
    words += [f"--user={plan.user}"] if plan.user else []
    words += [f"--workdir={plan.working_dir}"] if plan.working_dir else []
    return words + (["--read-only"] if plan.read_only_root else [])


def _mount_word(mount: Mount, volume_name: str) -> str:
    if mount.volume.kind is VolumeKind.MEMORY:
        return f"--tmpfs={mount.path}:rw,nosuid,nodev,mode=1777,size={mount.volume.mebibytes or 64}m"
    read_only = mount.read_only or mount.volume.kind is VolumeKind.FILES
    return f"--volume={volume_name}:{mount.path}:{'ro' if read_only else 'rw'}"


def _archive(volume: Volume) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in volume.files:
            content = text.encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
