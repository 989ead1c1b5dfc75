"""The `live_still_passes` check of a deployment asset: would what is live be let in today?

It belongs to the environment and not to one commit, so it has no partition. The service evaluates it after every change
of the rules and every few hours (service/workers/live_gate_worker.py); run by hand, it judges at once.
"""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from infraaudit.live_gate import judge_live
from infraaudit_assets.assets.tables import findings_table
from infraaudit_domain.dagster_names import LIVE_STILL_PASSES, deployment_name
from infraaudit_domain.errors import InfraAuditError
from infraaudit_domain.projects import Environment, Project
from resources.dagster.resources import GitResource, HistoryResource


def build_live_gate_check(
    project: Project, key_prefix: list[str], environment: Environment
) -> dg.AssetChecksDefinition:
    asset = dg.AssetKey([*key_prefix, deployment_name(project, environment)])

    @dg.asset_check(
        asset=asset,
        name=LIVE_STILL_PASSES,
        description=f"What is live in {environment.name} would be let in under today's gate, acceptances and severities.",
    )
    def live_still_passes(
        context: dg.AssetCheckExecutionContext, git: GitResource, history: HistoryResource
    ) -> dg.AssetCheckResult:
        past, now = history.connect(), datetime.now(UTC)
        try:
            found = judge_live(past, git.connect(project), project, environment, Path(history.gate_file), now)
        except InfraAuditError as error:  # What cannot be judged is not taken for good.
            return _result(False, f"It could not be judged: {error}")
        if found is None:
            return _result(True, "Nothing is deployed yet.")
        about: dict[str, dg.MetadataValue] = {"commit": dg.MetadataValue.text(found.sha)}
        if found.verdict.findings:
            about["findings"] = findings_table(found.verdict.findings, history.explanations())
        return _result(found.passes, str(found), **about)

    return live_still_passes


def _result(passed: bool, description: str, **metadata: dg.MetadataValue) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.WARN, description=description, metadata=metadata
    )
