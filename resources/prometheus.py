"""Prometheus' configuration for a deployed project: rendered from the project's own, and checked.

The commit is untrusted: of its prometheus.yml only scrape intervals, job names, paths and rules' inline settings
that read no file and reach no other host are honoured. What it runs is untrusted too: of its answer no more than the
start is read. Deliberately absent: running Prometheus.
"""

import shutil
import tempfile
import time
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from infraaudit_domain.errors import MonitoringError, ToolError, excerpt
from resources.machine import process
from resources.machine.http_answer import answer_of
from resources.machine.yaml_text import Bounds, UnreadableError, read_documents

_GLOBAL_KEYS = frozenset({"scrape_interval", "scrape_timeout", "evaluation_interval"})
_JOB_KEYS = frozenset({"job_name", "metrics_path", "scrape_interval", "scrape_timeout", "scheme", "params"})
_OWN = Bounds(size=1024 * 1024, nodes=20_000, aliases=True)
_JOBS = 100
_CHECK_SECONDS = 30
_ANSWER_SECONDS = 5.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RenderedConfig:
    text: str
    ignored: tuple[str, ...]
    """Keys of the commit's own configuration that were ignored."""


def render_prometheus(project: str, own: str | None, targets: list[str]) -> RenderedConfig:
    """The configuration that scrapes a project's live targets (``host:port`` or URLs). Raises MonitoringError."""
    given = _parse(own)
    ignored: list[str] = []
    jobs = given.get("scrape_configs") or [{"job_name": project}]
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise MonitoringError("scrape_configs of the commit's prometheus.yml is no list of mappings.")
    if len(jobs) > _JOBS:
        raise MonitoringError(f"The commit's prometheus.yml has {len(jobs)} scrape_configs; {_JOBS} are the most.")
    addresses = [urlsplit(target).netloc or target for target in targets]
    rendered = {
        "global": _allowed(given.get("global") or {}, _GLOBAL_KEYS, "global", ignored) or {"scrape_interval": "15s"},
        "scrape_configs": [
            _allowed(job, _JOB_KEYS, f"scrape_configs[{index}]", ignored)
            | {"static_configs": [{"targets": addresses, "labels": {"project": project}}]}
            for index, job in enumerate(jobs)
        ],
    }
    ignored += sorted({excerpt(str(key), 80) for key in given} - {"global", "scrape_configs"})
    return RenderedConfig(yaml.safe_dump(rendered, sort_keys=False), tuple(ignored))


def check_prometheus(text: str) -> str:
    """Check a configuration with promtool; returns what checked it. Raises MonitoringError with promtool's words."""
    if not shutil.which("promtool"):
        _parse(text)
        return "its structure only: promtool is not installed"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prometheus.yml"
        path.write_text(text, "utf-8")
        try:
            process.run(["promtool", "check", "config", str(path)], timeout=_CHECK_SECONDS)
        except ToolError as error:
            raise MonitoringError(f"promtool refuses the rendered prometheus.yml: {error}") from error
    return "promtool check config"


def target_is_up(url: str, path: str = "/metrics") -> str | None:
    """None where the deployed service answers its metrics path; otherwise what is wrong.

    Its body is not read: it may have no end.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        tls = parts.scheme == "https"
        answer = answer_of(parts.hostname or "", port, path, seconds=_ANSWER_SECONDS, tls=tls)
    except (OSError, HTTPException, ValueError) as error:
        return f"{url}{path} does not answer: {excerpt(str(error), 200) or type(error).__name__}"
    return None if answer.status == 200 else f"{url}{path} answers {answer.status}"


def values_of(url: str, query: str) -> list[float]:
    """The values of an expression now: one for each series, none where there is no series. Raises MonitoringError."""
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/api/v1/query", params={"query": query}, timeout=10)
        said = answer.json()
        if said.get("status") != "success":
            raise MonitoringError(f"Prometheus refuses {excerpt(query, 200)}: {excerpt(str(said.get('error')), 300)}")
        kind, found = said["data"]["resultType"], said["data"]["result"]
        if kind not in ("vector", "scalar"):
            raise MonitoringError(f"{excerpt(query, 200)} is a {kind}: it has to give one number for each series.")
        pairs = [found] if kind == "scalar" else [series["value"] for series in found]
        return [float(value) for _, value in pairs]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MonitoringError(f"Prometheus at {url} does not answer: {excerpt(str(error), 200)}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MonitoringError(f"{url} does not answer as a Prometheus does: {excerpt(str(error), 200)}") from error


def reload_prometheus(url: str) -> None:
    """Make a running Prometheus reload its configuration (it needs --web.enable-lifecycle). Raises MonitoringError."""
    import httpx

    try:
        httpx.post(f"{url.rstrip('/')}/-/reload", timeout=10).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MonitoringError(f"Prometheus at {url} did not reload: {excerpt(str(error), 200)}") from error


def wait_until_scraped(url: str, project: str, environment: str, sha: str, timeout: float) -> str:
    """Wait until a Prometheus has the deployed commit as a target that is up; returns the target's address.

    ``timeout`` is in seconds. Raises MonitoringError with Prometheus' own words where it does not come up.
    """
    wanted, end = {"project": project, "environment": environment, "sha": sha}, time.monotonic() + timeout
    while True:
        found = [target for target in _targets(url) if _is_of(target["labels"], wanted)]
        up = next((target for target in found if target["health"] == "up"), None)
        if up:
            return str(up["scrapeUrl"])
        if time.monotonic() > end:
            said = "; ".join(f"{t['scrapeUrl']} is {t['health']}: {t['lastError']}" for t in found)
            raise MonitoringError(
                f"Prometheus at {url} has no target of {project} in {environment} that is up"
                f" ({excerpt(said, 300) or 'none at all'}): let it read configs/prometheus/prometheus.yml, whose"
                " `deployed` job asks the service what is live."
            )
        time.sleep(_LOOK_SECONDS)


def _targets(url: str) -> list[dict[str, Any]]:
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/api/v1/targets", params={"state": "active"}, timeout=10)
        answer.raise_for_status()
        return list(answer.json()["data"]["activeTargets"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
        raise MonitoringError(f"Prometheus at {url} does not list its targets: {excerpt(str(error), 200)}") from error


def _is_of(labels: dict[str, str], wanted: dict[str, str]) -> bool:
    """The configuration of a site may lack labels for environment and commit, but not for the project."""
    return "project" in labels and all(labels.get(name, value) == value for name, value in wanted.items())


def _parse(text: str | None) -> dict[str, Any]:
    try:
        documents = read_documents(text or "", _OWN)
    except UnreadableError as error:
        raise MonitoringError(f"The commit's prometheus.yml is no YAML that is read: {error}.") from error
    parsed = documents[0] if documents else {}
    if not isinstance(parsed, dict) or len(documents) > 1:
        raise MonitoringError("The commit's prometheus.yml is no mapping.")
    return parsed


def _allowed(given: Any, keys: frozenset[str], where: str, ignored: list[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise MonitoringError(f"{where} of the commit's prometheus.yml is no mapping.")
    ignored += [f"{where}.{excerpt(str(key), 80)}" for key in given if key not in keys and key != "static_configs"]
    return {key: value for key, value in given.items() if key in keys}
