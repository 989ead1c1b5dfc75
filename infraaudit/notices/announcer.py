"""Write a notice for every event that has none yet: read from the history, so that no process can lose it.

A stage, a command or a person records a fact; this writes a notice for each fact of the last day, under the fact's own
key. It may run in several processes and be killed at any point. Deliberately absent: sending (resources/notifier.py).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from infraaudit.notices.code_owners import named_commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting import live_notices, notices
from infraaudit_domain.reporting.notices import NamedCommit, Notice
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.deployments import ends_an_incident, tried_deployments
from resources.history.outbox import keys_titled, known_keys, write_notices
from resources.history.queries.events import failed_stages

LOOK_BACK = timedelta(days=1)
"""How long all announcers may be down without missing an event."""


class Announcer:
    """Announces events of some projects, with links to the Dagster UI and, for a deployment, to the audit page."""

    def __init__(
        self,
        history: History,
        projects: Mapping[str, Project],
        mirror_of: Callable[[Project], Mirror],
        dagster_url: str,
        service_url: str,
    ) -> None:
        self._history, self._projects, self._mirror_of = history, projects, mirror_of
        self._dagster_url, self._service_url = dagster_url.rstrip("/"), service_url.rstrip("/")

    def announce(self, now: datetime) -> int:
        """Write notices for the events of the last day; returns the number of new ones."""
        since = now - LOOK_BACK
        events: dict[str, Callable[[], Notice | None]] = {}
        for row in self._unreported_stages(since):
            key = notices.stage_key(row["run_id"], row["stage"])
            events[key] = lambda row=row: self._stage(row)  # type: ignore[misc]
        for done in tried_deployments(self._history, since):
            healthy = done.outcome is Outcome.DEPLOYED
            key = notices.recovery_key(done) if healthy else notices.deployment_key(done)
            events[key] = lambda done=done: self._deployment(done)  # type: ignore[misc]
        for held in tried_deployments(self._history, since, [Outcome.WAITING]):
            events[live_notices.waiting_key(held)] = lambda held=held: self._waiting(held)  # type: ignore[misc]
        unknown = events.keys() - known_keys(self._history, events)
        found = (event() for key, event in events.items() if key in unknown)
        return write_notices(self._history, (notice for notice in found if notice))

    def commit(self, project: str, sha: str) -> NamedCommit:
        """A commit with its author and owners; bare where the project or the commit is no longer to be had."""
        known = self._projects.get(project)
        try:
            return named_commit(known, self._mirror_of(known), sha) if known and sha else NamedCommit(project, sha)
        except RepositoryError:
            return NamedCommit(project, sha)

    def run_link(self, run_id: str) -> str:
        return f"{self._dagster_url}/runs/{run_id}"

    def _unreported_stages(self, since: datetime) -> list[sa.RowMapping]:
        """Stages that failed, without a gate's stop that the notice of the commit's new findings reports already."""
        rows = failed_stages(self._history, since)
        stopped = {notices.findings_key(row["project"], row["sha"]) for row in rows if _is_gates_stop(row)}
        reported = keys_titled(self._history, stopped, notices.STOPPED)
        return [
            row
            for row in rows
            if not (_is_gates_stop(row) and notices.findings_key(row["project"], row["sha"]) in reported)
        ]

    def _stage(self, row: sa.RowMapping) -> Notice:
        project, sha, stage = row["project"], row["sha"], row["stage"]
        detail = self._first_failure(project, sha) if stage == "test_results" else ""
        commit, link = self.commit(project, sha), self.run_link(row["run_id"])
        return notices.stage_failed(commit, stage, row["run_id"], row["reason"], detail, link)

    def _first_failure(self, project: str, sha: str) -> str:
        run = self._history.test_run(project, sha)
        bad = run.bad_cases if run else ()
        first = next(iter(bad), None)
        return f"{first.name}: {first.message}" if first else ""

    def _waiting(self, held: Deployment) -> Notice:
        link = f"{self._service_url}/projects/{held.project}/commits/{held.sha}"
        return live_notices.waits(self.commit(held.project, held.sha), held, link)

    def _deployment(self, done: Deployment) -> Notice | None:
        link = f"{self._service_url}/projects/{done.project}"
        if done.outcome is not Outcome.DEPLOYED:
            return notices.deployment_failed(self.commit(done.project, done.sha), done, link)
        if not ends_an_incident(self._history, done):
            return None
        return notices.recovered(self.commit(done.project, done.sha), done, link)


def _is_gates_stop(row: sa.RowMapping) -> bool:
    """Whether the gate of the first environment stopped a commit, as the scan's own notice says."""
    return row["stage"] == "deployment" and str(row["reason"]).startswith(notices.NOT_DEPLOYED)
