"""The report of a scan on disk: kept by commit, and shown as the latest where the commit is the newest."""

import json
from pathlib import Path

from infraaudit_assets.domain.projects import Project
from infraaudit_assets.domain.reports import report_of
from resources.artifact_store import ArtifactStore
from resources.git import Mirror
from resources.history.lineage import CountedScan


def write_report(store: ArtifactStore, mirror: Mirror, project: Project, counted: CountedScan) -> Path:
    """Keep a commit's report; only the tip of the deploy branch is shown as latest_scan.json."""
    scan = counted.scan
    report = report_of(project.name, scan, counted.against, counted.changes)
    content = json.dumps(report, indent=2).encode()
    kept = store.keep_report(project.name, scan.sha, content)
    if mirror.branches().get(project.deploy_branch) == scan.sha:
        store.publish_report(project.name, content, project.default)
    return kept
