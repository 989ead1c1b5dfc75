"""The gates as asset checks: what Dagster shows of a verdict of infraaudit_domain/judging/gate.py, and what stops a run."""

import warnings

import dagster as dg

from infraaudit_assets.assets.tables import findings_table, table
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.reporting.remedies import NO_REMEDIES, Remedies

TESTS_PASS = "tests_pass"
SCAN_GATE = "scan_gate"
RELEASE_GATE = "release_gate"


def partitioned_check(
    name: str, asset: dg.AssetKey, partitions: dg.PartitionsDefinition, description: str, blocking: bool = False
) -> dg.AssetCheckSpec:
    """A check of one commit; one that blocks keeps the assets below it from being materialized in the same run."""
    with warnings.catch_warnings():
        # Partitioned checks are a preview in Dagster 1.13; without them a check has one result for all commits.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            name, asset=asset, blocking=blocking, description=description, partitions_def=partitions
        )


def check_result(
    name: str, asset: dg.AssetKey, verdict: Verdict, remedies: Remedies = NO_REMEDIES
) -> dg.AssetCheckResult:
    """A verdict as Dagster shows it: every reason, and the findings that they are about."""
    metadata: dict[str, dg.MetadataValue] = {}
    if verdict.reasons:
        metadata["reasons"] = table(["why not"], [(reason,) for reason in verdict.reasons])
    if verdict.notes:
        metadata["notes"] = table(["left out of account"], [(note,) for note in verdict.notes])
    if verdict.findings:
        metadata["findings"] = findings_table(verdict.findings, remedies)
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=str(verdict),
        metadata=metadata,
    )
