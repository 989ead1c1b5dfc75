"""The `scan_report` asset: Checkov on the commit's files, and what that changed against its first parent."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from infraaudit.gate import judge_commit
from infraaudit.notices.code_owners import named_commit
from infraaudit.scans.against_parent import changes_of
from infraaudit.scans.cross_scanning import prepare_judgement
from infraaudit.scans.scan_commit import Reports, ScannedCommit, scan_commit
from infraaudit_assets.assets.checks import SCAN_GATE, check_result, partitioned_check
from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_assets.assets.tables import findings_table, table
from infraaudit_domain.dagster_names import is_of_request
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.lifecycles.causes import CODE
from infraaudit_domain.lifecycles.changes import FindingChanges
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.notices import Notice, severe_findings, severe_of
from infraaudit_domain.reporting.remedies import Remedies
from infraaudit_domain.scans.findings import Finding, Scan, Severity
from infraaudit_domain.scans.hidings import CONFIGURATION, INLINE
from resources.dagster.resources import (
    ArtifactsResource,
    CheckovResource,
    GitResource,
    HistoryResource,
    NotifierResource,
)
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.outbox import write_notices


def build_scan_report(project: Project, common: dict) -> dg.AssetsDefinition:
    key = dg.AssetKey([*common["key_prefix"], "scan_report"])
    # Not blocking here: a report above the limits is data that the trends want. What it blocks is the deployment,
    # whose own check judges the same anew.
    gate = partitioned_check(
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
        notifier: NotifierResource,
    ) -> Iterator[dg.MaterializeResult]:
        past = history.connect()
        with stage(context, project, past) as current:
            mirror, rules = git.connect(project), Path(history.gate_file)
            reports = Reports(artifacts.connect(), rules.parent)
            done = scan_commit(past, mirror, project, current.sha, lambda: checkov.connect(past), reports)
            counted, now = done.counted, datetime.now(UTC)
            here = project.environment.name
            prepare_judgement(past, mirror, project, here, current.sha, lambda: checkov.connect(past))
            verdict = judge_commit(past, mirror, project, here, current.sha, rules, now)
            remedies = history.explanations()
            link = notifier.commit_link(project.name, current.sha)
            notice = _notice(past, mirror, project, done, remedies, verdict, link)
            # What a request would bring is said where it was made.
            if notice is not None and not is_of_request(project, context.run.job_name):
                write_notices(past, [notice])
            yield dg.MaterializeResult(
                data_version=dg.DataVersion(_digest(done.scan)),
                metadata=_metadata(counted.scan, counted.against, counted.changes, remedies)
                | {"report": dg.MetadataValue.path(done.report)},
                check_results=[check_result(SCAN_GATE, key, verdict, remedies)],
            )

    return scan_report


def _notice(
    history: History,
    mirror: Mirror,
    project: Project,
    done: ScannedCommit,
    remedies: Remedies,
    verdict: Verdict,
    link: str,
) -> Notice | None:
    """Severe findings that the code brought since the commit compared with; None where there are none."""
    sha, against, changes = done.scan.sha, done.counted.against, done.counted.changes
    if against is None or not changes.new:
        return None
    by_rules: set[Finding] = set()
    if changes.other_cause != CODE:
        by_rules = set(changes_of(history, mirror, project.name, done.scan)[1].by_rules)
    new = [remedies.explained(finding) for finding in changes.new if finding not in by_rules]
    is_parent = against in mirror.parents([sha])[sha]
    commit = named_commit(project, mirror, sha, {finding.file_path for finding in severe_of(new)})
    since, stopped = None if is_parent else against, "" if verdict.passed else str(verdict)
    return severe_findings(commit, new, since, stopped, link=link)


def _digest(scan: Scan) -> str:
    import hashlib

    keys = sorted(f"{part.framework} {part.scan_key} {part.status}" for part in scan.frameworks)
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]


def _metadata(scan: Scan, against: str | None, changes: FindingChanges, remedies: Remedies) -> dict[str, Any]:
    counts = Counter(finding.severity for finding in scan.findings if finding.is_open)
    return {
        "status": scan.status.value,
        "open": counts.total(),
        "new": len(changes.new),
        "fixed": len(changes.fixed),
        "perhaps_new": len(changes.perhaps_new),
        "unread": len(changes.unread),
        "suppressed": sum(not finding.is_open for finding in scan.findings),
        "hidden_by_comments": sum(f.suppressed_by == INLINE for f in scan.findings),
        "hidden_by_configuration": sum(f.suppressed_by == CONFIGURATION for f in scan.findings),
        **{f"open_{severity.value}": counts[severity] for severity in Severity},
        "compared_with": against[:12] if against else "nothing: no earlier commit was scanned",
        "compared_under": "the same scanner and configuration"
        if changes.other_cause == CODE
        else f"another {changes.other_cause}",
        "seconds": scan.seconds,
        "reused_frameworks": ", ".join(part.framework for part in scan.frameworks if part.reused) or "none",
        "checkov": scan.scanner_version,
        "new_findings": findings_table(changes.new, remedies),
        "fixed_findings": findings_table(changes.fixed, remedies),
        "unread_findings": findings_table(changes.unread, remedies),
        **({"warnings": table(["warning"], [(warning,) for warning in scan.warnings])} if scan.warnings else {}),
        **_coverage(scan),
        **_unreadable(scan),
    }


def _coverage(scan: Scan) -> dict[str, Any]:
    """What each framework should have read, and of how many files it did not read something."""
    rows = [
        (part.framework, part.evidence.expected, sum(not gap.check_id for gap in part.unreadable), part.reason)
        for part in scan.frameworks
        if part.evidence is not None and (part.evidence.expected or part.unreadable)
    ]
    return {"coverage": table(["framework", "expected", "unread", "why"], rows)} if rows else {}


def _unreadable(scan: Scan) -> dict[str, Any]:
    """Each file that was not read; the templates of a chart that was not rendered in one line."""
    counts = Counter(
        (part.framework, gap.part_of or gap.path, gap.reason) for part in scan.frameworks for gap in part.unreadable
    )
    rows = [(framework, path, files, why) for (framework, path, why), files in counts.items()]
    return {"unreadable": table(["framework", "file", "files", "why"], rows)} if rows else {}
