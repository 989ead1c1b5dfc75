"""What `infraaudit rollback --advise` prints: every commit to go back to, and the best of them."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from infraaudit_assets.commands.formats import print_result, print_rows
from infraaudit_assets.commands.options import Format
from infraaudit_assets.commands.projects import mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.advice import Candidate, advise
from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.findings import Finding

if TYPE_CHECKING:
    from resources.history import History

_COLUMNS = ("sha", "hours_live", "outcomes", "returning", "leaving", "against")


def print_advice(project: Project, past: "History", live: Deployment, how: Format) -> None:
    """Print it; exits with 1 where it is to fix forward."""
    from infraaudit.accepted import suppressions_by
    from infraaudit.questions.replay.ways_back import ways_back
    from infraaudit.scans.lifecycles import Line

    line = Line(past, mirror_of(project), project.name, project.deploy_branch).follow()
    accepted = suppressions_by(past, settings().shipped, project.name)
    candidates = ways_back(line, live, accepted, datetime.now(UTC))
    best = advise(candidates)
    rows = [_row(one) for one in candidates]
    if how is Format.CSV:
        print_rows(rows, _COLUMNS, how)
        raise typer.Exit(0 if best else 1)
    if how is Format.TABLE:
        print_rows(rows, _COLUMNS, how, _table(candidates, best))
    advice = {"live": live.sha, "advice": best.sha if best else None, "fix_forward": best is None, "candidates": rows}
    print_result(
        advice,
        how,
        f"Go back to {best.sha}: the newest before {live.sha[:12]} that never failed in {live.environment}, with green "
        "tests, and with which no finding returns."
        if best
        else f"Fix forward: no commit is a better one to have in {live.environment} than {live.sha[:12]}.",
    )
    raise typer.Exit(0 if best else 1)


def _row(one: Candidate) -> dict[str, Any]:
    return {
        "sha": one.sha,
        "hours_live": one.hours_live,
        "outcomes": list(one.outcomes),
        "returning": _named(one.returning),
        "leaving": _named(one.leaving),
        "against": list(one.against),
    }


def _named(findings: Sequence[Finding] | None) -> list[dict[str, Any]] | None:
    if findings is None:
        return None
    names = ("check_id", "file_path", "line_start", "resource")
    return [
        {"id": f.fingerprint, "severity": f.severity.value} | {name: getattr(f, name) for name in names}
        for f in findings
    ]


def _table(candidates: Sequence[Candidate], best: Candidate | None) -> Table:
    table = Table("commit", "hours live", "outcomes here", "would return", "would leave", "against it")
    for one in candidates:
        outcomes = ", ".join(f"{outcome.replace('_', ' ')}" for outcome in one.outcomes) or "—"
        against = "advised" if one is best else "\n".join(one.against) or "nothing; older"
        hours = f"{one.hours_live:.1f}"
        table.add_row(one.sha[:12], hours, outcomes, _counted(one.returning), _counted(one.leaving), against)
    return table


def _counted(findings: Sequence[Finding] | None) -> str:
    if findings is None:
        return "not known"
    counts = Counter(finding.severity.value for finding in findings)
    return ", ".join(f"{number} {severity}" for severity, number in counts.items()) or "none"
