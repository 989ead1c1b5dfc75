"""The `scan_trends` asset: open findings over the commits up to this one."""

from collections.abc import Iterator

import dagster as dg

from infraaudit.pages.trend_picture import TrendPoint, draw_trend, inline
from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_assets.assets.tables import table
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Severity
from resources.dagster.resources import GitResource, HistoryResource
from resources.history.queries.open_counts import open_by_severity
from resources.history.stored_line import stored_line

COMMITS_SHOWN = 50


def build_scan_trends(project: Project, common: dict) -> dg.AssetsDefinition:
    @dg.asset(
        **common,
        name="scan_trends",
        description="Open findings by severity over the first-parent history that ends in this commit.",
        kinds={"python"},
        deps=[dg.AssetKey([*common["key_prefix"], "scan_report"])],
        retry_policy=RETRY,
        pool=f"{project.name}_trends",
    )
    def scan_trends(
        context: dg.AssetExecutionContext, git: GitResource, history: HistoryResource
    ) -> Iterator[dg.MaterializeResult]:
        past = history.connect()
        with stage(context, project, past) as current:
            shas = git.connect(project).first_parents(current.sha, limit=COMMITS_SHOWN)
            counts = open_by_severity(stored_line(past, project.name), shas)
            scanned = [sha for sha in shas if sha in counts]
            points = [
                TrendPoint(position, sha, severity, counts[sha].get(severity, 0))
                for position, sha in enumerate(scanned)
                for severity in Severity
            ]
            picture = draw_trend(points, f"{project.name}: open findings")
            rows = [
                (sha[:12], sum(counts[sha].values()), *(counts[sha].get(s, 0) for s in Severity)) for sha in scanned
            ]
            yield dg.MaterializeResult(
                metadata={
                    "trend": dg.MetadataValue.md(inline(picture)),
                    "open": sum(counts.get(current.sha, {}).values()),
                    "commits": len(scanned),
                    "table": table(["commit", "open", *(s.value for s in Severity)], rows[::-1]),
                }
            )

    return scan_trends
