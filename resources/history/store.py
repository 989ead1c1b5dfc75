"""Write facts to the history and read them back: one transaction for each fact, which replaces the row of its natural
key.

Deliberately absent: questions over many commits (queries), and deciding anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from infraaudit_domain.commits import Commit
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_runs import COUNTS, CaseOutcome, TestCase, TestRun
from infraaudit_domain.projects import Project
from infraaudit_domain.retention import PRUNED
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from resources.history import schema
from resources.history.access import Access
from resources.history.database import upsert
from resources.history.rows import deployment_of, image_of, record_brought
from resources.history.scan_results import follow_again, read_results, store_result

_MESSAGE_LENGTH = 4000
_OF_TEST_RUNS = ("seconds", "reason", "output_tail", "inputs_digest", "reused_from")


class History(Access):
    """The history database of one installation."""

    def record_project(self, project: Project) -> None:
        row = {"name": project.name, "url": project.url, "deploy_branch": project.deploy_branch}
        self._write((schema.projects, [row]))

    def record_commit(self, project: str, commit: Commit) -> None:
        """A commit dated after it was first seen gets that time: ages and orders depend on it."""
        key, now = {"project": project, "sha": commit.sha}, datetime.now(UTC)
        known = self.row(_of_commit(schema.commits, project, commit.sha))
        row = key | {
            "tree": commit.tree,
            "first_parent": commit.first_parent,
            "author_name": commit.author_name,
            "author_email": commit.author_email,
            "authored_at": commit.authored_at,
            "committed_at": min(commit.committed_at, now, *([known["committed_at"]] if known else [])),
            "subject": commit.subject,
            "recorded_at": now,
        }
        parents = [key | {"position": position, "parent": parent} for position, parent in enumerate(commit.parents)]
        self._write((schema.commits, [row]), (schema.parents, parents))

    def record_image(self, project: str, sha: str, image: Image, name: str = "") -> None:
        """Record the first image of a commit; ``name`` is what the project calls it where it lists its images."""
        self._write((schema.images, [{"project": project, "sha": sha, "name": name} | asdict(image)]))

    def image(self, project: str, sha: str) -> Image | None:
        row = self.row(_of_commit(schema.images, project, sha))
        return None if row is None else image_of(row)

    def find_image(self, project: str, inputs_digest: str) -> tuple[str, Image] | None:
        """The commit that first built these inputs, and its image."""
        table = schema.images
        wanted = (table.c.project == project) & (table.c.inputs_digest == inputs_digest) & table.c.reused_from.is_(None)
        row = self.row(sa.select(table).where(wanted).limit(1))
        return None if row is None else (row["sha"], image_of(row))

    def record_test_run(self, project: str, sha: str, run: TestRun) -> None:
        key = {"project": project, "sha": sha}
        row = key | run.counts | {name: getattr(run, name) for name in _OF_TEST_RUNS}
        cases = [
            key
            | {"position": position}
            | asdict(case)
            | {"outcome": case.outcome.value, "message": case.message[:_MESSAGE_LENGTH]}
            for position, case in enumerate(run.cases)
        ]
        with self.writing() as connection:
            cases_of_commit = schema.test_cases.delete().where(
                schema.test_cases.c.project == project, schema.test_cases.c.sha == sha
            )
            connection.execute(cases_of_commit)
            upsert(connection, schema.test_runs, [row])
            upsert(connection, schema.test_cases, cases)

    def test_run(self, project: str, sha: str) -> TestRun | None:
        row = self.row(_of_commit(schema.test_runs, project, sha))
        if row is None:
            return None
        cases = self.rows(_of_commit(schema.test_cases, project, sha).order_by(schema.test_cases.c.position))
        counts = {name: row[name] for name in COUNTS.values()}
        return TestRun(
            cases=tuple(TestCase(c["name"], CaseOutcome(c["outcome"]), c["seconds"], c["message"]) for c in cases),
            pruned=counts if not cases and any(counts.values()) else None,
            **{name: row[name] for name in _OF_TEST_RUNS},
        )

    def record_scan(self, project: str, scan: Scan) -> None:
        """Store a commit's scan. The result of a scan key is shared, and a complete result is never replaced by an
        incomplete one. Lifecycles of findings are computed again from this commit on."""
        key = {"project": project, "sha": scan.sha}
        row = key | {
            "status": scan.status.value,
            "scanner_version": scan.scanner_version,
            "config_digest": scan.config_digest,
            "started_at": scan.started_at,
            "seconds": scan.seconds,
            "warnings": list(scan.warnings),
            "rules": scan.rules,
        }
        links = [key | {"framework": p.framework, "scan_key": p.scan_key, "reused": p.reused} for p in scan.frameworks]
        with self.writing() as connection:
            # In a fixed order, so that two commits that share results cannot deadlock.
            new = sorted((part for part in scan.frameworks if not part.reused), key=lambda part: part.scan_key)
            changed = [part.scan_key for part in new if store_result(connection, part)]
            table = schema.scan_parts
            connection.execute(table.delete().where(table.c.project == project, table.c.sha == scan.sha))
            upsert(connection, schema.scans, [row])
            upsert(connection, table, links)
            follow_again(connection, project, scan.sha, changed)

    def scan(self, project: str, sha: str) -> Scan | None:
        row = self.row(_of_commit(schema.scans, project, sha))
        if row is None:
            return None
        parts = self.rows(_of_commit(schema.scan_parts, project, sha).order_by(schema.scan_parts.c.framework))
        stored = self.results([part["scan_key"] for part in parts])
        found = [(stored[part["scan_key"]], part["reused"]) for part in parts if part["scan_key"] in stored]
        return Scan(
            sha=sha,
            frameworks=tuple(replace(part, reused=reused) for part, reused in found),
            scanner_version=row["scanner_version"],
            config_digest=row["config_digest"],
            started_at=row["started_at"],
            seconds=row["seconds"],
            warnings=tuple(row["warnings"]),
            rules=row["rules"],
        )

    def framework_scan(self, scan_key: str) -> FrameworkScan | None:
        """The stored result of a scan key, to be used again; one that failed or was pruned is no answer."""
        found = self.results([scan_key]).get(scan_key)
        return None if found is None or found.status is ScanStatus.FAILED or found.reason == PRUNED else found

    def results(self, scan_keys: Sequence[str]) -> dict[str, FrameworkScan]:
        """The stored results of scan keys, usable or not; two reads for however many."""
        with self.reading() as connection:
            return read_results(connection, scan_keys)

    def record_deployment(self, deployment: Deployment, brought: Sequence[tuple[str, datetime]] = ()) -> None:
        """Record an attempt; ``brought`` are the commits (and their times) that became live with it."""
        row = asdict(deployment) | {"outcome": deployment.outcome.value}
        table = schema.deployments
        same = [table.c[name] == row[name] for name in ("project", "environment", "sha", "started_at")]
        with self.writing() as connection:
            connection.execute(table.delete().where(*same))
            connection.execute(table.insert(), [row])
            record_brought(connection, deployment, brought)
            if deployment.outcome is Outcome.UNCHANGED:
                # Where it answers may have changed: a container that was gone runs again, on another port.
                live = connection.execute(_live(deployment.project, deployment.environment)).mappings().one()
                connection.execute(table.update().where(table.c.id == live["id"]).values(url=deployment.url))

    def live(self, project: str, environment: str) -> Deployment | None:
        """What is live: the last deployment that became healthy (a rolled-back one leaves it live)."""
        row = self.row(_live(project, environment))
        return None if row is None else deployment_of(row)

    def last_deployment(self, project: str, environment: str, sha: str) -> Deployment | None:
        """The newest attempt to deploy a commit."""
        table = schema.deployments
        wanted = (table.c.project == project) & (table.c.environment == environment) & (table.c.sha == sha)
        row = self.row(sa.select(table).where(wanted).order_by(table.c.id.desc()).limit(1))
        return None if row is None else deployment_of(row)

    def record_stage(
        self,
        project: str,
        sha: str,
        stage: str,
        outcome: StageOutcome,
        started_at: datetime,
        finished_at: datetime,
        run_id: str,
        reason: str = "",
    ) -> None:
        row: dict[str, Any] = {
            "project": project,
            "sha": sha,
            "stage": stage,
            "run_id": run_id,
            "outcome": outcome.value,
        }
        row |= {"started_at": started_at, "finished_at": finished_at, "reason": reason[:_MESSAGE_LENGTH]}
        self._write((schema.stages, [row]))

    def reasons(self, project: str, sha: str, run_id: str | None = None) -> dict[str, str]:
        """Why stages of a commit failed or were skipped, by stage; of one run where that is given."""
        table = schema.stages
        query = _of_commit(table, project, sha).where(table.c.reason != "").order_by(table.c.finished_at)
        rows = self.rows(query.where(table.c.run_id == run_id) if run_id else query)
        return {row["stage"]: row["reason"] for row in rows}

    def record_log_counts(
        self, project: str, environment: str, day: str, counts: Mapping[tuple[str, str], int]
    ) -> None:
        """Record how many lines of a day are kept by commit and level; of two counts of one key the higher stays.

        A day's lines only increase, so the higher count is the later one.
        """
        key = {"project": project, "environment": environment, "day": day}
        rows = [key | {"sha": sha, "level": level, "lines": lines} for (sha, level), lines in sorted(counts.items())]
        with self.writing() as connection:
            upsert(connection, schema.log_counts, rows, highest="lines")

    def _write(self, *facts: tuple[sa.Table, list[dict[str, Any]]]) -> None:
        with self.writing() as connection:
            for table, rows in facts:
                upsert(connection, table, rows)


def _of_commit(table: sa.Table, project: str, sha: str) -> sa.Select:
    return sa.select(table).where(table.c.project == project, table.c.sha == sha)


def _live(project: str, environment: str) -> sa.Select:
    table = schema.deployments
    wanted = (table.c.project == project) & (table.c.environment == environment)
    healthy = wanted & (table.c.outcome == Outcome.DEPLOYED.value)
    return sa.select(table).where(healthy).order_by(table.c.id.desc()).limit(1)
