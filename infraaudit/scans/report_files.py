"""The report of a scan on disk: kept by commit, and published as the latest where the commit is the newest."""

import json
from pathlib import Path

from infraaudit.scans.against_parent import CountedScan
from infraaudit_domain.projects import Project
from infraaudit_domain.reports import report_of
from resources.git.mirror import Mirror
from resources.machine.artifact_store import ArtifactStore


def write_report(store: ArtifactStore, mirror: Mirror, project: Project, counted: CountedScan) -> Path:
    """Keep a commit's report; only the tip of the deploy branch becomes latest_scan.json."""
    scan = counted.scan
    report = report_of(project.name, scan, counted.against, counted.changes)
    content = json.dumps(report, indent=2).encode()
    kept = store.keep_report(project.name, scan.sha, content)
    if mirror.branches().get(project.deploy_branch) == scan.sha:
        store.publish_report(project.name, content, project.default)
    return kept
