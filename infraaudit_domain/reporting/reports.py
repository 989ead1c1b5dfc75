"""The report of a scan as InfraAudit writes it: what reports/latest_scan.json holds."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from infraaudit_domain.lifecycles.changes import FindingChanges
from infraaudit_domain.scans.findings import Finding, Scan


def report_of(project: str, scan: Scan, against: str | None, changes: FindingChanges) -> dict[str, Any]:
    """A scan as JSON: the same for the same scan, sorted, without times of the machine that made it.

    ``perhaps_new`` are findings of which it is not known whether the commit compared with had them; ``unread`` are that
    commit's findings in files that this scan did not read, which are neither open here nor fixed.
    """
    still_open = [finding for finding in scan.findings if finding.is_open]
    severities = Counter(finding.severity.value for finding in still_open)
    return {
        "project": project,
        "commit": scan.sha,
        "status": scan.status.value,
        "scanner": {"name": "checkov", "version": scan.scanner_version, "config": scan.config_digest},
        "scanned_at": scan.started_at.isoformat(),
        "compared_with": against,
        "summary": {
            "open": len(still_open),
            "new": len(changes.new),
            "fixed": len(changes.fixed),
            "perhaps_new": len(changes.perhaps_new),
            "unread": len(changes.unread),
            "suppressed": len(scan.findings) - len(still_open),
            "by_severity": dict(sorted(severities.items())),
        },
        "warnings": list(scan.warnings),
        "frameworks": [
            {
                "framework": p.framework,
                "status": p.status.value,
                "reason": p.reason,
                "unreadable": [asdict(u) for u in p.unreadable],
            }
            for p in sorted(scan.frameworks, key=lambda part: part.framework)
        ],
        "findings": [
            _row(f) for f in sorted(scan.findings, key=lambda f: (f.file_path, f.line_start, f.check_id, f.fingerprint))
        ],
        "new": [finding.fingerprint for finding in changes.new],
        "fixed": [_row(finding) for finding in changes.fixed],
        "perhaps_new": [finding.fingerprint for finding in changes.perhaps_new],
        "unread": [_row(finding) for finding in changes.unread],
    }


def _row(finding: Finding) -> dict[str, Any]:
    return (
        {"id": finding.fingerprint}
        | asdict(finding)
        | {"status": finding.status.value, "severity": finding.severity.value}
    )
