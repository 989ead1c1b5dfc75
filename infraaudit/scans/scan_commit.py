"""Scan a commit and update what follows from its scan: for the asset, the command and the backfill.

First what rests on the scan alone (its rows, its report), then what needs other commits: causes, for which earlier
commits may be scanned again, and the lifecycles along the deploy branch. An error in the second part loses nothing of
the first. Deliberately absent: which commits, and judging them (infraaudit/gate.py).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infraaudit.accepted import suppressions_by
from infraaudit.scans.against_parent import CountedScan, counted_scan
from infraaudit.scans.cross_scanning import Runner, attribute_causes
from infraaudit.scans.first_configuration import first_configuration
from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit.scans.report_files import newest_scan, write_report
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Scan
from resources.checkov import CheckovRunner
from resources.git.mirror import Mirror
from resources.history import History
from resources.machine.artifact_store import ArtifactStore


@dataclass(frozen=True, slots=True)
class Reports:
    """Where reports are kept, and the folder of the pipeline's configuration whose suppressions they respect."""

    store: ArtifactStore
    configuration: Path


@dataclass(frozen=True, slots=True)
class ScannedCommit:
    """A scan as it is stored, as it counts today, and its report file."""

    scan: Scan
    counted: CountedScan
    report: Path


def scan_commit(
    history: History, mirror: Mirror, project: Project, sha: str, runner: Runner, reports: Reports
) -> ScannedCommit:
    """Fetch, scan and store one commit with everything that follows. Raises InfraAuditError."""
    mirror.fetch()
    history.record_project(project)
    with runner() as scanner:
        scan = store_scan(history, mirror, project, sha, scanner)
    done = publish(history, mirror, project, scan, reports)
    follow_up(history, mirror, project, runner)
    return done


def store_scan(history: History, mirror: Mirror, project: Project, sha: str, scanner: CheckovRunner) -> Scan:
    """Scan a commit of the mirror, reusing stored results, and record the commit and its scan."""
    history.record_commit(project.name, mirror.commit(sha))
    scan = scanner.scan(mirror, sha, project.paths.checkov_config)
    history.record_scan(project.name, scan)
    first_configuration(history, mirror, project)
    return scan


def publish(history: History, mirror: Mirror, project: Project, scan: Scan, reports: Reports) -> ScannedCommit:
    """Write a stored scan's report; the newest of the deploy branch becomes latest_scan.json."""
    suppressions = suppressions_by(history, reports.configuration, project.name)
    counted = counted_scan(history, mirror, project.name, scan, suppressions, datetime.now(UTC).date())
    return ScannedCommit(scan, counted, write_report(reports.store, mirror, project, counted))


def publish_newest(history: History, mirror: Mirror, project: Project, reports: Reports) -> None:
    """Write the report of the deploy branch's newest scanned commit: after scans that were stored without reports."""
    if (scan := newest_scan(history, mirror, project)) is not None:
        publish(history, mirror, project, scan, reports)


def follow_up(history: History, mirror: Mirror, project: Project, runner: Runner) -> None:
    """Attribute causes and follow the lifecycles along the deploy branch: once after any number of new scans."""
    attribute_causes(history, mirror, project, runner)
    follow_deploy_branch(history, mirror, project)
