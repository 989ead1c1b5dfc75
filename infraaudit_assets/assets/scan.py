"""The `scan_report` asset: Checkov on the commit's files, and what that changed against its first parent."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_assets.assets.tables import table
from infraaudit_assets.checks import SCAN_GATE, blocking_check, check_result
from infraaudit_assets.domain.changes import FindingChanges
from infraaudit_assets.domain.findings import Scan, Severity
from infraaudit_assets.domain.gate import judge_scan
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.domain.reports import report_of
from resources.gate_file import read_gate
from resources.git import Mirror
from resources.shells import ArtifactsResource, CheckovResource, GitResource, HistoryResource


def build_scan_report(project: Project, common: dict) -> dg.AssetsDefinition:
    key = dg.AssetKey([*common["key_prefix"], "scan_report"])
    gate = blocking_check(
        SCAN_GATE, key, common["partitions_def"], "The scan is complete and within the limits of configs/gate.yaml."
    )

    @dg.asset(
        **common,
        name="scan_report",
        description=f"Checkov with {project.paths.checkov_config}; kept by commit and compared with the first parent.",
        kinds={"python", "checkov"},
        deps=[dg.AssetKey([*common["key_prefix"], "commit"])],
        check_specs=[gate],
        retry_policy=RETRY,
    )
    def scan_report(
        context: dg.AssetExecutionContext,
        git: GitResource,
        checkov: CheckovResource,
        history: HistoryResource,
        artifacts: ArtifactsResource,
    ) -> Iterator[dg.MaterializeResult]:
        from resources.history.lifecycles import follow_deploy_branch
        from resources.history.lineage import changes_of

        past = history.open()
        with stage(context, project, past) as current:
            mirror = git.mirror(project)
            with checkov.runner(past) as runner:
                scan = runner.scan(mirror, current.sha, project.paths.checkov_config)
            past.record_scan(project.name, scan)
            follow_deploy_branch(past, mirror, project)
            against, changes = changes_of(past, mirror, project.name, scan)
            content = json.dumps(report_of(project.name, scan, against, changes), indent=2).encode()
            path = artifacts.store().keep_report(project.name, current.sha, content)
            if _is_newest(mirror, project, current.sha):
                artifacts.store().publish_report(project.name, content, project.default)
            verdict = judge_scan(read_gate(Path(history.gate_file)), scan, changes.new if against else ())
            if not verdict.passed:
                current.fail(str(verdict))
            yield dg.MaterializeResult(
                data_version=dg.DataVersion(_digest(scan)),
                metadata=_metadata(scan, against, changes) | {"report": dg.MetadataValue.path(path)},
                check_results=[check_result(SCAN_GATE, key, verdict)],
            )

    return scan_report


def _is_newest(mirror: Mirror, project: Project, sha: str) -> bool:
    """Whether this commit is the tip of the deploy branch, the only one that latest_scan.json may show."""
    return mirror.branches().get(project.deploy_branch) == sha


def _digest(scan: Scan) -> str:
    import hashlib

    keys = sorted(f"{part.framework} {part.scan_key} {part.status}" for part in scan.frameworks)
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]


def _metadata(scan: Scan, against: str | None, changes: FindingChanges) -> dict[str, Any]:
    counts = Counter(finding.severity for finding in scan.findings if finding.status == "open")
    return {
        "status": scan.status.value,
        "open": counts.total(),
        "new": len(changes.new),
        "fixed": len(changes.fixed),
        "suppressed": sum(finding.status == "suppressed" for finding in scan.findings),
        **{f"open_{severity.value}": counts[severity] for severity in Severity},
        "compared_with": against[:12] if against else "nothing: no earlier commit has a complete scan",
        "cause": changes.cause,
        "seconds": scan.seconds,
        "reused_frameworks": ", ".join(part.framework for part in scan.frameworks if part.reused) or "none",
        "checkov": scan.scanner_version,
        "new_findings": _findings(changes.new),
        "fixed_findings": _findings(changes.fixed),
        **({"warnings": table(["warning"], [(warning,) for warning in scan.warnings])} if scan.warnings else {}),
        **_unreadable(scan),
    }


def _findings(findings: tuple) -> dg.MetadataValue:
    rows = [(f.severity.value, f.check_id, f.check_name, f"{f.file_path}:{f.line_start}", f.resource) for f in findings]
    return table(["severity", "check", "what", "where", "resource"], rows)


def _unreadable(scan: Scan) -> dict[str, Any]:
    rows = [(part.framework, file.path, file.reason) for part in scan.frameworks for file in part.unreadable]
    return {"unreadable": table(["framework", "file", "why"], rows)} if rows else {}
