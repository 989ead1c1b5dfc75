"""`infraaudit exposure|sla|suppressions`: what stood in production, for how long, and what is hidden."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from infraaudit_assets.commands.audit import Moment, line_of, suppressions_for, utc
from infraaudit_assets.commands.formats import Form, Format, chosen, show
from infraaudit_assets.commands.options import AsJson, EnvironmentName, ProjectName
from infraaudit_assets.commands.projects import find_project
from infraaudit_assets.settings import settings


class Of(StrEnum):
    FINDINGS = "findings"
    COMMITS = "commits"


def exposure(
    project: ProjectName,
    of: Annotated[Of, typer.Option("--of", help="Every finding that was live, or every commit.")] = Of.FINDINGS,
    environment: EnvironmentName = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """How long findings were in production: introduced, live, fixed, fix live; and what a rollback brought back.

    With --of commits: what was live from when to when, and the hours on commits without a complete scan or green tests.
    """
    from resources.history.queries.exposure import exposure as exposure_of
    from resources.history.queries.exposure import live_commits

    found, now = find_project(project), datetime.now(UTC)
    line, environment = line_of(found), environment or found.environment.name
    if of is Of.COMMITS:
        rows = live_commits(line, environment, now)
        unscanned, untested = rows["unscanned_hours"].sum(), rows["untested_hours"].sum()
        show(rows, chosen(form, as_json), {"sha": "commit", "live_from": "live from", "live_to": "to", "hours": "hours", "scan": "scan",
                          "tests": "tests", "rollback": "rollback"},
             note=f"{environment}: {unscanned:.1f} hours without a complete scan, {untested:.1f} without green tests")  # fmt: skip
        return
    show(exposure_of(line, environment, now), chosen(form, as_json),
         {"severity": "severity", "id": "id", "check_id": "check", "hours_exposed": "hours", "live_now": "live",
          "file_path": "file", "introduced_at": "introduced", "live_from": "live from", "fixed_at": "fixed",
          "live_to": "fix live", "brought_back_by": "brought back", "resource": "resource"},
         note=f"in {environment}; hours are those on which a commit with the finding was live")  # fmt: skip


def sla(
    project: ProjectName,
    since: Moment = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """How fast findings are fixed, how old the open ones are, and which break the SLA (max_age_days of gate.yaml)."""
    from resources.configuration.gate import read_gate
    from resources.history.queries.sla import sla as sla_of

    found, now = find_project(project), datetime.now(UTC)
    limits = read_gate(settings().shipped / "gate.yaml").max_age_days
    rows = sla_of(line_of(found), limits, now, suppressions_for(found), utc(since))
    show(rows, chosen(form, as_json), {"severity": "severity", "open": "open", "breached": "breached", "sla_days": "allowed",
                      "oldest_days": "oldest", "fixed": "fixed",
                      "mean_days_to_fix": "mean to fix", "median_days": "median", "up_to_7_days": "≤7", "up_to_30_days": "≤30",
                      "up_to_90_days": "≤90", "over_90_days": ">90",
                      "median_days_to_fix": "median to fix", "fixed_late": "fixed late"},
         note="in days; ≤7 to >90 count open findings by age"
         + ("" if limits else "; no limits are set: max_age_days in gate.yaml"))  # fmt: skip


def suppressions(
    project: ProjectName, environment: EnvironmentName = None, form: Form = Format.TABLE, as_json: AsJson = False
) -> None:
    """Who hid which finding, when, why, until when, and whether it is live: comments in the code, and the project's file."""
    from resources.configuration.suppressions import suppressions_path
    from resources.history.queries.suppressions import suppressions_of

    found = find_project(project)
    line, environment = line_of(found), environment or found.environment.name
    live = line.history.live(found.name, environment)
    rows = suppressions_of(line, suppressions_for(found), live.sha if live else None, datetime.now(UTC).date())
    show(rows, chosen(form, as_json), {"source": "source", "state": "state", "id": "id", "check_id": "check", "owner": "who",
                      "until": "until", "reason": "why", "live": "live", "file_path": "file", "since": "since",
                      "severity": "severity", "resource": "resource", "commit": "commit"},
         note=f"live is {environment}; the file is {suppressions_path(settings().shipped, found.name)}")  # fmt: skip
