"""A generated history and a service over it: what several benchmarks set up before they measure.

Every commit changes one scan key with --rows / --commits findings, replacing two of them; a tenth are suppressed in
the code. ``record_pipeline`` adds what a pipeline records: an image, tests and three stages of every
commit, and a deployment of every second one, each tenth of them rolled back.
"""

import argparse
import hashlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import sqlalchemy as sa
import uvicorn

from infraaudit.scans.lifecycles import Line
from infraaudit_domain.commits import ChangedFile
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.evidence import RULES, Evidence
from infraaudit_domain.scans.findings import Finding
from resources.history import History, schema
from resources.history.queries.environments import recorded_projects
from service.app import ServiceOptions, build_app

PORT = 3991
START = datetime(2020, 1, 1, tzinfo=UTC)
SEVERITIES = ("critical", "high", "medium", "low", "info", "unknown")


def arguments(text: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a persistent database; data of an earlier run is reused")
    return parser


def arguments_with_size(text: str) -> argparse.ArgumentParser:
    parser = arguments(text)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    return parser


@contextmanager
def history_at(url: str | None) -> Iterator[History]:
    """A migrated history; without a URL a temporary one, for the duration of the block."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(url or f"sqlite:///{folder}/history.db")
        history.migrate()
        yield history


class Generated:
    """Stands in for the mirror: one branch without renames."""

    def __init__(self, commits: int) -> None:
        self.line = [hashlib.sha1(str(position).encode()).hexdigest() for position in range(commits)]
        self.positions = {sha: position for position, sha in enumerate(self.line)}

    def branches(self) -> dict[str, str]:
        return {"main": self.line[-1]}

    def first_parents(self, sha: str, limit: int | None = None) -> list[str]:
        return self.line[: self.positions[sha] + 1]

    def parents(self, shas: list[str]) -> dict[str, tuple[str, ...]]:
        return {sha: tuple(self.line[max(0, at - 1) : at]) for sha in shas for at in [self.positions[sha]]}

    def existing(self, shas: list[str]) -> list[str]:
        return [sha for sha in shas if sha in self.positions]

    def renames(self, parent: str, sha: str) -> dict[str, str]:
        return {}

    def changed_files(self, sha: str) -> tuple[ChangedFile, ...]:
        return ()

    def differing_files(self, parent: str, sha: str) -> tuple[ChangedFile, ...]:
        return ()


def generate(history: History, mirror: Generated, each: int) -> None:
    with history.writing() as connection:
        for start in range(0, len(mirror.line), 500):
            some = list(enumerate(mirror.line[start : start + 500], start))
            connection.execute(schema.commits.insert(), [_commit(position, sha) for position, sha in some])
            connection.execute(schema.scans.insert(), [_scan(position, sha) for position, sha in some])
            keys = [
                {"scan_key": f"k{p}", "framework": "terraform", "status": "complete"}
                | {"seconds": 1.0, "reason": "", "unreadable": [], "evidence": Evidence(40)}
                for p, _ in some
            ]
            connection.execute(schema.framework_scans.insert(), keys)
            parts = [
                {"project": "p", "sha": s, "framework": "terraform", "scan_key": f"k{p}", "reused": False}
                for p, s in some
            ]
            connection.execute(schema.scan_parts.insert(), parts)
            rows = [
                _finding(position, number)
                for position, _ in some
                for number in range(position * 2, position * 2 + each)
            ]
            connection.execute(schema.findings.insert(), rows)


def fill(history: History, mirror: Generated, rows: int) -> bool:
    """Give an empty history commits and pipeline records, and follow the line; returns whether it was empty."""
    is_empty = not recorded_projects(history)
    if is_empty:
        generate(history, mirror, rows // len(mirror.line))
        record_pipeline(history, mirror)
    Line(history, mirror, "p", "main").follow()  # type: ignore[arg-type]
    if history.dialect == "postgresql":
        with history._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
    return is_empty


def record_pipeline(history: History, mirror: Generated) -> None:
    """What the pipeline records of every commit, beside its scan."""
    history.record_project(Project("p", "https://example.org/p.git"))
    c = schema.commits
    with history.writing() as connection:
        for start in range(0, len(mirror.line), 500):
            some = list(enumerate(mirror.line[start : start + 500], start))
            parents = [{"child": sha, "parent": mirror.line[position - 1]} for position, sha in some if position]
            changed = c.update().where(c.c.project == "p", c.c.sha == sa.bindparam("child"))
            connection.execute(changed.values(first_parent=sa.bindparam("parent")), parents)
            for table, row in ((schema.images, _image), (schema.test_runs, _tests)):
                connection.execute(table.insert(), [{"project": "p", "sha": sha} | row(sha) for _, sha in some])
            connection.execute(schema.stages.insert(), [s for position, sha in some for s in _stages(position, sha)])
            connection.execute(schema.deployments.insert(), [_deployment(p, sha) for p, sha in some if p % 2 == 0])


@contextmanager
def served(history: History) -> Iterator[tuple[httpx.Client, int]]:
    """A client of a service over the history, once the service answers, and the service's process."""
    url = history.url
    history.close()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(url,), daemon=True)
    server.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=120) as client:
            _wait(client)
            yield client, server.pid or 0
    finally:
        server.terminate()


def cpu_seconds(process: int) -> float:
    """CPU seconds of a process so far, user and system: the figure that a busy machine distorts least."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _serve(url: str) -> None:
    uvicorn.run(build_app(History(url), ServiceOptions(["p"])), port=PORT, log_level="error")


def _wait(client: httpx.Client) -> None:
    for _ in range(200):
        try:
            client.get("/healthz")
            return
        except httpx.ConnectError:
            time.sleep(0.2)
    raise SystemExit("the service did not start")


def _commit(position: int, sha: str) -> dict[str, object]:
    at = START + timedelta(hours=position)
    return {
        "project": "p", "sha": sha, "tree": sha, "first_parent": None, "author_name": f"author {position % 20}",
        "author_email": "a@example.org", "authored_at": at, "committed_at": at, "subject": "s", "recorded_at": at,
    }  # fmt: skip


def _scan(position: int, sha: str) -> dict[str, object]:
    return {
        "project": "p", "sha": sha, "status": "complete", "scanner_version": "3", "config_digest": "c",
        "started_at": START + timedelta(hours=position), "seconds": 1.0, "warnings": [], "rules": RULES,
    }  # fmt: skip


def _finding(position: int, number: int) -> dict[str, object]:
    check, path = f"CKV_{number % 300}", f"infra/{number % 40}/main.tf"
    made = Finding("terraform", check, "name", path, f"aws_thing.r{number}", 1, 5)
    return {
        "scan_key": f"k{position}", "fingerprint": made.fingerprint, "framework": "terraform", "check_id": check,
        "check_name": "name", "file_path": path, "resource": made.resource, "line_start": 1, "line_end": 5,
        "ordinal": 0, "status": "open" if number % 10 else "suppressed", "suppression_reason": "", "guideline": "",
        "severity": SEVERITIES[number % 6],
    }  # fmt: skip


def _image(sha: str) -> dict[str, object]:
    return {"reference": f"p:{sha[:12]}", "image_id": f"sha256:{sha}", "size_bytes": 10**8, "build_seconds": 9.0,
            "inputs_digest": sha, "digest": None, "reused_from": None}  # fmt: skip


def _tests(sha: str) -> dict[str, object]:
    return {"passed": 40, "failed": 0, "errors": 0, "skipped": 1, "seconds": 3.0, "reason": "", "output_tail": ""}


def _stages(position: int, sha: str) -> list[dict[str, object]]:
    at = START + timedelta(hours=position)
    return [
        {"project": "p", "sha": sha, "stage": stage, "run_id": f"run-{position}", "outcome": "succeeded"}
        | {"started_at": at, "finished_at": at + timedelta(seconds=20), "reason": ""}
        for stage in ("docker_image", "scan_report", "deployment")
    ]


def _deployment(position: int, sha: str) -> dict[str, object]:
    at = START + timedelta(hours=position, minutes=10)
    return {
        "project": "p", "environment": "production", "sha": sha, "started_at": at, "target": "kubernetes:c/n",
        "finished_at": at + timedelta(seconds=30), "outcome": "rolled_back" if position % 20 == 0 else "deployed",
        "image": f"p:{sha[:12]}", "manifests": "kind: Deployment\n" * 100, "replaced_sha": None, "reason": "", "url": None,
    }  # fmt: skip
