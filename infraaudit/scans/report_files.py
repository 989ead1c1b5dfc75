"""The report of a scan on disk: kept by commit; the newest of the deploy branch is shown as latest_scan.json."""

import json
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from infraaudit.scans.against_parent import CountedScan
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.reports import report_of
from infraaudit_domain.scans.findings import Scan, ScanStatus
from resources.git.mirror import Mirror
from resources.history import History, schema
from resources.machine.artifact_store import ArtifactStore
from resources.machine.atomic_file import READABLE, write_atomically
from resources.machine.locks import locked


def write_report(store: ArtifactStore, mirror: Mirror, project: Project, counted: CountedScan) -> Path:
    """Keep a commit's report, and show the newest that is kept of the deploy branch as latest_scan.json."""
    scan = counted.scan
    report = report_of(project.name, scan, counted.against, counted.changes)
    kept = store.keep_report(project.name, scan.sha, json.dumps(report, indent=2).encode())
    _show_newest(store, mirror, project)
    return kept


def newest_scan(history: History, mirror: Mirror, project: Project) -> Scan | None:
    """The scan of the deploy branch's newest commit that has one which did not fail."""
    table = schema.scans
    usable = (table.c.project == project.name) & (table.c.status != ScanStatus.FAILED.value)
    scanned = {row["sha"] for row in history.rows(sa.select(table.c.sha).where(usable))}
    newest = next((sha for sha in _newest_first(mirror, project) if sha in scanned), None)
    return history.scan(project.name, newest) if newest else None


def _show_newest(store: ArtifactStore, mirror: Mirror, project: Project) -> None:
    """Never an older commit than is shown: it does not matter in which order scans end, or in which process."""
    with locked(store.state / f".latest-scan-{project.name}.lock"):
        line = _newest_first(mirror, project)
        kept = ((sha, store.kept_report(project.name, sha)) for sha in line)
        newest = next(((sha, text) for sha, text in kept if text and _names_a_scan(_content(text))), None)
        if newest is None:
            return
        age = {sha: place for place, sha in enumerate(line)}
        for path in store.latest_reports(project.name, project.default):
            shown = _content(path.read_bytes() if path.exists() else b"")
            ours = shown.get("commit") if shown.get("project") == project.name else None
            # What a force-push took off the branch, and what cannot be read, is as old as can be.
            if age.get(str(ours), len(line)) >= age[newest[0]]:
                write_atomically(path, newest[1], READABLE)


def _newest_first(mirror: Mirror, project: Project) -> list[str]:
    tip = mirror.branches().get(project.deploy_branch)
    return mirror.first_parents(tip)[::-1] if tip else []


def _names_a_scan(report: Mapping[str, object]) -> bool:
    """A scan that failed says nothing of the commit's findings, and replaces nothing."""
    return report.get("status") in (ScanStatus.COMPLETE, ScanStatus.PARTIAL)


def _content(text: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
