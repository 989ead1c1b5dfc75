"""The `scan_trends` asset: open findings over the commits up to this one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from infraaudit.pages.audit.picture import Bar, draw
from infraaudit.pages.audit.png import inline, png_of
from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_assets.assets.tables import table
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Severity
from resources.dagster.resources import GitResource, HistoryResource
from resources.history import History
from resources.history.queries.commit_findings import Posture
from resources.history.queries.commit_pages import outcomes_of
from resources.history.queries.frames import commits_named
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
            bars = _bars(past, project.name, {sha: counts[sha] for sha in scanned})
            rows = [
                (sha[:12], sum(counts[sha].values()), *(counts[sha].get(s, 0) for s in Severity)) for sha in scanned
            ]
            yield dg.MaterializeResult(
                metadata=_picture(bars, f"{project.name}: open findings")
                | {
                    "open": sum(counts.get(current.sha, {}).values()),
                    "commits": len(scanned),
                    "table": table(["commit", "open", *(s.value for s in Severity)], rows[::-1]),
                }
            )

    return scan_trends


def _bars(past: History, project: str, counts: Mapping[str, Counter[Severity]]) -> list[Bar]:
    commits, outcomes = commits_named(past, project, counts), outcomes_of(past, project, list(counts))
    return [
        Bar(
            Posture(sha, open_now),
            commits[sha]["subject"],
            commits[sha]["committed_at"],
            tuple(outcomes.get(sha, ())),
            link="",
        )
        for sha, open_now in counts.items()
        if sha in commits
    ]


def _picture(bars: Sequence[Bar], title: str) -> dict[str, dg.MetadataValue]:
    return {"trend": dg.MetadataValue.md(inline(png_of(draw(bars), title), "trend"))} if bars else {}
