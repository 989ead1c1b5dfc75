"""Deployment without a cluster: the pod of a release's manifests, run by the container engine on this machine.

A new pod starts beside the live one, on spare ports of loopback, and becomes the live one only once its probes succeed;
until then, and if they never do, the old one continues to answer. So every release has an address of its own, and
``probe`` reports that of the live one. The pods belong to the engine: they outlive our processes, and restart with it.
Deliberately absent: more than one replica, addresses beyond this machine, and any claim to be Kubernetes.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from infraaudit_domain.delivery.deployments import Release, Rollout
from infraaudit_domain.errors import EngineError, HistoryError, InfraAuditError, ManifestError, excerpt
from infraaudit_domain.kubernetes.pod_spec import plan_pod
from resources.engine import Engine
from resources.machine.atomic_file import write_atomically
from resources.manifests.files import parse_manifests
from resources.targets.container.pod import Pod, pod_labels, remove_pod
from resources.targets.container.readiness import Readiness, held, restarts_of, wait_until_ready
from resources.targets.target import LogLine

_LOG = logging.getLogger(__name__)
_LOG_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?(.*)")
_LOG_LIMIT = 16 * 1024 * 1024
_LOG_LINES = 100_000


@dataclass(frozen=True, slots=True)
class ContainerTarget:
    """Containers of one engine as a deployment target; ``state`` is a folder that records the live releases."""

    engine: Engine
    state: Path

    @property
    def name(self) -> str:
        return "container"

    def describe(self) -> str:
        return f"containers of {self.engine.name} {self.engine.version} on this machine (one replica, loopback only)"

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        """Start a release and wait until it is healthy; otherwise the live one stays.

        ``timeout`` is in seconds. Raises EngineError; a manifest that cannot run here gives an unhealthy Rollout.
        """
        started = monotonic()
        try:
            pod = self._pod(release)
        except ManifestError as error:
            return Rollout(False, str(error), seconds=monotonic() - started)
        live = self._live(release.project, release.environment)
        live_pod = self._pod(live) if live else None
        self._remove_others(release, {pod.key, live_pod.key if live_pod else ""}, grace_seconds=0)
        limit = min(timeout, pod.plan.deadline_seconds)
        try:
            readiness = self._bring_up(pod, started + limit, on_progress)
        except ManifestError as error:
            readiness = Readiness(False, str(error))
        except BaseException as error:
            if isinstance(error, EngineError) and self.engine.answers():
                # The engine works and refuses this pod: a missing image, a port below 1024, a broken command.
                return self._unhealthy(pod, live_pod, Readiness(False, str(error)), monotonic() - started)
            if live_pod is None or live_pod.key != pod.key:
                _try_to_remove(pod)
            raise
        if readiness.ready and not (live_pod and live_pod.key == pod.key):
            readiness = held(pod, release.soak, on_progress)
        seconds = round(monotonic() - started, 3)
        if not readiness.ready:
            return self._unhealthy(pod, live_pod, readiness, seconds)
        write_atomically(self._file(release.project, release.environment), json.dumps(asdict(release)).encode())
        self._remove_others(release, {pod.key}, live_pod.plan.grace_seconds if live_pod else 0)
        on_progress(f"{release.sha[:12]} is healthy at {pod.url() or 'no port'}")
        return Rollout(True, "", pod.url(), seconds, readiness.details)

    def probe(self, project: str, environment: str) -> Rollout:
        """Whether the live release is healthy now, and its URL. Raises EngineError."""
        live = self._live(project, environment)
        if live is None:
            return Rollout(False, f"Nothing is deployed to {environment} of {project}.")
        pod = self._pod(live)
        readiness = wait_until_ready(pod, monotonic() + 5, lambda line: None, once=True)
        return Rollout(readiness.ready, readiness.reason, pod.url())

    def live(self, project: str, environment: str) -> str | None:
        """The commit that is live, or None."""
        release = self._live(project, environment)
        return release.sha if release else None

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        """Lines after ``since``, of every container of the project and environment that still exists."""
        lines: list[LogLine] = []
        for name in self.engine.containers(pod_labels(project, environment)):
            lines += self._logs_of(name, since)
        return sorted(lines, key=lambda line: line.time)

    def remove(self, project: str, environment: str) -> None:
        """Stop and remove all that runs for a project and environment."""
        remove_pod(self.engine, pod_labels(project, environment), grace_seconds=1)
        self._file(project, environment).unlink(missing_ok=True)

    def _unhealthy(self, pod: Pod, live: Pod | None, readiness: Readiness, seconds: float) -> Rollout:
        """The Rollout of a pod that did not become ready; the pod is removed unless it is live."""
        details = tuple((f"log of {c.name}", pod.log_end(c.name)) for c in pod.plan.containers if pod.state(c))
        if live is None or live.key != pod.key:
            _try_to_remove(pod)
        return Rollout(False, readiness.reason, seconds=round(seconds, 3), details=details)

    def _bring_up(self, pod: Pod, deadline: float, on_progress: Callable[[str], None]) -> Readiness:
        before: dict[str, int] = {}
        if pod.is_there():
            before = restarts_of(pod)
            on_progress(f"{pod.release.sha[:12]} runs already")
        else:
            pod.remove()
            on_progress(f"starting {pod.plan.workload} beside what is live")
            pod.start()
        return wait_until_ready(pod, deadline, on_progress, before=before)

    def _pod(self, release: Release) -> Pod:
        identity = "\0".join((release.sha, release.image, release.manifests))
        key = hashlib.sha256(identity.encode()).hexdigest()[:16]
        return Pod(self.engine, plan_pod(parse_manifests(release.manifests)), release, key)

    def _remove_others(self, release: Release, keep: set[str], grace_seconds: int) -> None:
        labels = pod_labels(release.project, release.environment)
        found = self.engine.our_containers(labels).values()
        for key in {own.get("infraaudit.release", "") for own in found} - keep - {""}:
            remove_pod(self.engine, labels | {"infraaudit.release": key}, grace_seconds)

    def _live(self, project: str, environment: str) -> Release | None:
        try:
            text = self._file(project, environment).read_text()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HistoryError(f"{error.filename} cannot be read: {error.strerror}.") from error
        try:
            return Release(**json.loads(text))
        except (ValueError, TypeError) as error:
            file = self._file(project, environment)
            raise HistoryError(f"{file} is damaged; remove it, then deploy again.") from error

    def _file(self, project: str, environment: str) -> Path:
        return self.state / project / f"{environment}.json"

    def _logs_of(self, name: str, since: datetime | None) -> list[LogLine]:
        found = self.engine.inspect("container", name)
        if found is None:
            return []
        labels = (found.get("Config") or {}).get("Labels") or {}
        window = [f"--since={since.astimezone(UTC).isoformat(timespec='microseconds')}"] if since else []
        done = self.engine.run("logs", "--timestamps", *window, name, check=False, max_output=_LOG_LIMIT)
        lines = []
        for stream, raw in (("stdout", done.stdout), ("stderr", done.stderr)):
            text = raw.decode("utf-8", "replace")
            # A line that is cut at the limit is read the next time.
            for line in (text if not done.truncated else text.rpartition("\n")[0]).split("\n", _LOG_LINES)[:_LOG_LINES]:
                parsed = _log_line(line)
                if parsed and (since is None or parsed[0] > since):
                    sha, container = labels.get("infraaudit.sha", ""), labels.get("infraaudit.container", "")
                    lines.append(LogLine(parsed[0], container, parsed[1], name, sha, stream))
        return lines


def _log_line(line: str) -> tuple[datetime, str] | None:
    match = _LOG_LINE.match(line)
    if match is None:
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    stamp = datetime.fromisoformat(f"{match[1]}.{(match[2] or '0')[:6]:0<6}{zone}").astimezone(UTC)
    return stamp, excerpt(match[4], 16384)


def _try_to_remove(pod: Pod) -> None:
    try:
        pod.remove()
    except InfraAuditError as error:
        # The raised error gives the reason; the next deployment removes the rest.
        _LOG.warning("%s is left to the next deployment: %s", pod.key, error)
