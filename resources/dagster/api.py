"""Start runs through the Dagster webserver's GraphQL, as a sensor would: once for each run key.

Deliberately absent: which commits to run, and Dagster itself (this is an HTTP client).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.dagster_names import PARTITION, RUN_KEY
from infraaudit_domain.errors import DagsterUnavailableError, excerpt

_SECONDS = 20
_REPOSITORIES = "{repositoriesOrError{... on RepositoryConnection{nodes{name location{name} jobs{name}}}}}"
_RUNS = "query($f:RunsFilter!){runsOrError(filter:$f){__typename ... on Runs{results{runId status startTime}}}}"
_ADD = """mutation($r:RepositorySelector!,$d:String!,$k:String!){
  addDynamicPartition(repositorySelector:$r,partitionsDefName:$d,partitionKey:$k){__typename
    ... on PythonError{message} ... on UnauthorizedError{message}}}"""
_LAUNCH = """mutation($p:ExecutionParams!){launchRun(executionParams:$p){__typename
  ... on LaunchRunSuccess{run{runId}} ... on PythonError{message} ... on UnauthorizedError{message}
  ... on PipelineNotFoundError{message} ... on RunConflict{message}
  ... on RunConfigValidationInvalid{errors{message}}}}"""

_BACKFILL = """mutation($p:LaunchBackfillParams!){launchPartitionBackfill(backfillParams:$p){__typename
  ... on LaunchBackfillSuccess{backfillId} ... on PythonError{message} ... on UnauthorizedError{message}
  ... on PartitionKeysNotFoundError{message} ... on InvalidSubsetError{message}}}"""


_SENSOR = """query($s:SensorSelector!){
  instance{daemonHealth{daemonStatus(daemonType:"SENSOR"){healthy}}}
  sensorOrError(sensorSelector:$s){__typename
    ... on Sensor{sensorState{status ticks(limit:3){status timestamp error{message}}}}}}"""


@dataclass(frozen=True, slots=True)
class SensorState:
    """Whether a sensor works, and how its newest ticks ended."""

    fault: str
    """Why it does not work; empty where it does."""
    last_good: float | None
    """When a tick last succeeded or found nothing new, of the newest three, in Unix time."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run of a run key."""

    run_id: str
    status: str
    started_at: float | None = None
    """Seconds since 1970; None while it waits in the queue."""


class DagsterApi:
    """One Dagster webserver."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._selectors: dict[str, dict[str, str]] = {}

    def runs(self, run_key: str) -> list[Started]:
        """The runs of a run key, whoever started them; newest first."""
        tags = [{"key": RUN_KEY, "value": run_key}]
        found = self._ask(_RUNS, {"f": {"tags": tags}})["runsOrError"].get("results") or []
        return [Started(run["runId"], run["status"], run["startTime"]) for run in found]

    def launch(self, job: str, partitions: str, partition: str, run_key: str, tags: Mapping[str, str]) -> Started:
        """Add a partition and start the job for it, unless a run of this run key is there.

        A run that exists but was never submitted, because its creator died, is started by a second request: the run
        queue accepts one run per key and returns it.
        """
        known = self.runs(run_key)
        if known and all(run.status != "NOT_STARTED" for run in known):
            return known[-1]
        selector = self._selector_of(job)
        self._add(selector, partitions, partition)
        all_tags = {PARTITION: partition, RUN_KEY: run_key} | dict(tags)
        execution = {
            "selector": selector | {"jobName": job},
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in all_tags.items()]},
        }
        launched = self._ask(_LAUNCH, {"p": execution})["launchRun"]
        self._expect(launched, "LaunchRunSuccess")
        return Started(launched["run"]["runId"], "QUEUED")

    def backfill(self, job: str, asset: Sequence[str], partitions: str, keys: Sequence[str]) -> str:
        """Add partitions of an asset and start one backfill of them; its id. ``job`` names the asset's code location.

        Which of them were materialized before does not matter. The daemon starts a run for each.
        """
        selector = self._selector_of(job)
        for key in keys:
            self._add(selector, partitions, key)
        wanted = {"assetSelection": [{"path": list(asset)}], "partitionNames": list(keys)}
        launched = self._ask(_BACKFILL, {"p": wanted})["launchPartitionBackfill"]
        self._expect(launched, "LaunchBackfillSuccess")
        return str(launched["backfillId"])

    def sensor(self, job: str, name: str) -> SensorState:
        """The state of a sensor in the code location of a job. Raises DagsterUnavailableError."""
        found = self._ask(_SENSOR, {"s": self._selector_of(job) | {"sensorName": name}})
        self._expect(found["sensorOrError"], "Sensor")
        state = found["sensorOrError"]["sensorState"]
        ticks = state["ticks"]
        good = [tick["timestamp"] for tick in ticks if tick["status"] in ("SUCCESS", "SKIPPED")]
        fault = ""
        if not found["instance"]["daemonHealth"]["daemonStatus"]["healthy"]:
            fault = "Dagster's daemon does not run its sensors."
        elif state["status"] != "RUNNING":
            fault = "It is switched off."
        elif len(ticks) == 3 and all(tick["status"] == "FAILURE" for tick in ticks):
            fault = f"Its last three ticks failed: {excerpt((ticks[0].get('error') or {}).get('message', ''), 500)}"
        return SensorState(fault, max(good, default=None))

    def show_check(
        self, asset: Sequence[str], check: str, passed: bool, description: str, metadata: Mapping[str, Any]
    ) -> None:
        """Report the outcome of an asset's check that no run evaluated; one that did not pass is a warning.

        Raises DagsterUnavailableError.
        """
        body = {
            "check_name": check,
            "passed": passed,
            "severity": "WARN",
            "metadata": {"found": description, **metadata},
        }
        self._report("report_asset_check", asset, body)

    def show_observation(
        self, asset: Sequence[str], partition: str, description: str, metadata: Mapping[str, Any]
    ) -> None:
        """Report what was seen of an asset outside a run. Raises DagsterUnavailableError."""
        body = {"partition": partition, "description": description, "metadata": dict(metadata)}
        self._report("report_asset_observation", asset, body)

    def _report(self, what: str, asset: Sequence[str], body: Mapping[str, Any]) -> None:
        import httpx

        try:
            answer = httpx.post(f"{self.url}/{what}/{'/'.join(asset)}", json=body, timeout=_SECONDS)
        except httpx.HTTPError as error:
            raise DagsterUnavailableError(
                f"Dagster at {self.url} does not answer: {excerpt(str(error), 200)}"
            ) from error
        if not answer.is_success:
            raise DagsterUnavailableError(f"Dagster at {self.url} refused: {excerpt(answer.text, 300)}")

    def _add(self, selector: Mapping[str, str], partitions: str, key: str) -> None:
        added = self._ask(_ADD, {"r": selector, "d": partitions, "k": key})["addDynamicPartition"]
        self._expect(added, "AddDynamicPartitionSuccess", "DuplicateDynamicPartitionError")

    def _selector_of(self, job: str) -> dict[str, str]:
        if job not in self._selectors:
            nodes = self._ask(_REPOSITORIES, {})["repositoriesOrError"].get("nodes") or []
            self._selectors = {
                found["name"]: {"repositoryLocationName": node["location"]["name"], "repositoryName": node["name"]}
                for node in nodes
                for found in node["jobs"]
            }
        if job in self._selectors:
            return self._selectors[job]
        raise DagsterUnavailableError(f"Dagster at {self.url} has no job {job}; check that its definitions load.")

    def _expect(self, answer: Mapping[str, Any], *names: str) -> None:
        if answer["__typename"] not in names:
            self._selectors.clear()
            said = answer.get("message") or answer.get("errors") or ""
            raise DagsterUnavailableError(
                f"Dagster at {self.url} refused: {answer['__typename']} {excerpt(str(said), 300)}"
            )

    def _ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        import httpx

        try:
            answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=_SECONDS)
            body = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise DagsterUnavailableError(
                f"Dagster at {self.url} does not answer: {excerpt(str(error), 200)}"
            ) from error
        if body.get("errors"):
            raise DagsterUnavailableError(f"Dagster at {self.url} refused: {excerpt(str(body['errors']), 300)}")
        return dict(body["data"])
