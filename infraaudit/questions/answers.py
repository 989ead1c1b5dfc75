"""The answer to each question. Every face gives the same values and gets the same rows.

Deliberately absent: parsing and validating (parameters.py), paging addresses, and how rows are printed.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from infraaudit.accepted import beside_the_line
from infraaudit.questions.asked import Asked, Page, Row
from infraaudit.questions.coverage import coverage, coverage_gaps
from infraaudit.questions.decided.answers import audit_log, triage
from infraaudit.questions.export import Exchange, exported
from infraaudit.questions.filters import matching, wanted_findings
from infraaudit.questions.findings import compare_rows, finding_rows, not_scanned
from infraaudit.questions.no_data import has_scan, lacks
from infraaudit.questions.one_finding.answers import finding, finding_help, finding_live, finding_narrow
from infraaudit.questions.one_finding.helping import Code
from infraaudit.questions.question import Needs, Question
from infraaudit.questions.replay.at import at, at_findings, at_gaps, at_suppressions
from infraaudit.questions.replay.exposed import exposed, exposed_commits
from infraaudit.questions.replay.gate_replay import gate_replay
from infraaudit.questions.replay.least_exposure import least_exposure
from infraaudit.scans.lifecycles import Line
from infraaudit_domain.errors import NotThereError
from infraaudit_domain.reporting.order import SEVERITY_RANK
from resources.history.decisions.approvals import approval_rows
from resources.history.decisions.measurements import measurement_rows
from resources.history.decisions.rejections import rejection_rows
from resources.history.forge.change_requests import request_rows
from resources.history.queries import environments as deployed
from resources.history.queries import exposure as exposures
from resources.history.queries.commit_pages import (
    CommitFilter,
    changes_at,
    commit_page,
    deployment_page,
    stage_rows,
    test_case_rows,
)
from resources.history.queries.finding_pages import finding_page, live_page
from resources.history.queries.frames import records
from resources.history.queries.live_commits import live_commit_rows
from resources.history.queries.lives import life_events
from resources.history.queries.log_counts import count_rows
from resources.history.queries.scanned_past import scanned_past
from resources.history.queries.sla import sla_rows
from resources.history.queries.suppressions import suppression_rows
from resources.history.queries.trends import trend_rows
from resources.history.stored_line import stored_line


def answer(question: Question, asked: Asked) -> Page:
    """The rows of a question; none where ``no_data`` says why. Raises NotThereError, NotScannedError, RepositoryError."""
    if no_data(question, asked):
        return [], 0
    return ANSWERS[question.name](asked)


def no_data(question: Question, asked: Asked) -> str:
    """Why there can be no answer yet, and what to do: "no scan yet: …"; empty where there can be one."""
    return next(filter(None, (_lacks(asked, need) for need in question.needs)), "")


def _lacks(asked: Asked, need: Needs) -> str:
    if need is Needs.HEALTHY_DEPLOYMENT:
        return lacks(asked.line, need, asked.environment())
    sha = asked.commit("commit") if need in (Needs.RUN, Needs.TESTS) else ""
    return lacks(asked.line, need, asked.text("environment"), sha)


def _require_scan(asked: Asked, sha: str) -> None:
    """Raises NotScannedError: of a commit without a scan, no rows would be a wrong answer."""
    if not has_scan(asked.line, sha):
        raise not_scanned(asked.project, sha)


def projects(asked: Asked) -> Page:
    return asked.cut([{"name": name} for name in deployed.recorded_projects(asked.history)])


def commits(asked: Asked) -> Page:
    wanted = CommitFilter(asked.text("q"), asked.text("outcome"))
    total, rows = commit_page(asked.line, wanted, asked.limit, asked.offset)
    return rows, total


def changes(asked: Asked) -> Page:
    sha = asked.commit("commit")
    _require_scan(asked, sha)
    if sha not in asked.line.positions():
        raise NotThereError(f"{sha[:12]} is not on {asked.line.branch}; changes are recorded along that branch only.")
    return asked.cut([{"commit": sha} | row for row in changes_at(asked.line, sha)])


def stages(asked: Asked) -> Page:
    sha = asked.commit("commit")
    return asked.cut([{"commit": sha} | row for row in stage_rows(asked.history, asked.project, sha)])


def tests(asked: Asked) -> Page:
    sha = asked.commit("commit")
    return asked.cut([{"commit": sha} | row for row in test_case_rows(asked.history, asked.project, sha)])


def findings(asked: Asked) -> Page:
    sha = asked.commit_or_live()
    since = asked.commit("new_since") if asked.text("new_since") else ""
    if isinstance(asked.line, Line):
        hiding = beside_the_line(asked.line, asked.line.mirror, sha, asked.rules.suppressions)
        found = finding_rows(asked.line, sha, asked.now, since or None, hiding)
        rows, total = asked.cut(matching(found, wanted_findings(asked)))
    else:
        if since and since not in asked.line.positions():
            raise NotThereError(
                f"{since[:12]} is not on {asked.line.branch}, so its findings have no lives to compare."
            )
        _require_scan(asked, sha)
        wanted = replace(wanted_findings(asked), new_since=since)
        total, rows = finding_page(
            asked.line, sha, wanted, asked.now, asked.limit, asked.offset, asked.rules.suppressions
        )
    return [{"commit": sha} | _explained(asked, row) for row in rows], total


def _explained(asked: Asked, row: Row) -> Row:
    return row | {"guideline": asked.rules.remedies.of(row["check_id"], row["guideline"] or "").link}


def live(asked: Asked) -> Page:
    rows: list[Row] = []
    total = 0
    for environment in asked.environments():
        left, skipped = asked.limit - len(rows), max(0, asked.offset - total)
        wanted, hiding = wanted_findings(asked), asked.rules.suppressions
        number, found = live_page(asked.line, environment, wanted, asked.now, left, skipped, hiding)
        rows, total = rows + [_explained(asked, row) for row in found], total + number
    return rows, total


def blame(asked: Asked) -> Page:
    wanted = (asked.text(name) or None for name in ("finding", "check", "path"))
    return asked.cut(life_events(asked.line, asked.environment(), *wanted))


def scanned(asked: Asked) -> Page:
    return asked.cut([asdict(scanned_past(asked.line))])


def compare(asked: Asked) -> Page:
    before = asked.commit("before") if asked.text("before") else asked.live()
    after = asked.commit("after")
    for sha in (before, after):
        if asked.history.scan(asked.project, sha) is None:
            raise not_scanned(asked.project, sha)
    return asked.cut(compare_rows(asked.line_with_git(), before, after, asked.rules.suppressions, asked.now.date()))


def trends(asked: Asked) -> Page:
    line, branch = asked.line, asked.text("branch")
    if branch and branch != line.branch:
        line = stored_line(asked.history, asked.project, branch)
        if not line.shas:
            raise NotThereError(f"The branch {branch} of {asked.project} was never followed.")
    window = asked.moment("since"), asked.moment("until", end=True)
    rows = trend_rows(line, asked.text("by") or None, asked.text("every") or "commit", *window)
    return asked.cut(rows if asked.text("order") == "oldest" else rows[::-1])


def exposure(asked: Asked) -> Page:
    rows = records(exposures.exposure(asked.line, asked.environment(), asked.now))
    return asked.cut(sorted(rows, key=lambda row: SEVERITY_RANK[row["severity"]]))


def exposure_commits(asked: Asked) -> Page:
    return asked.cut(live_commit_rows(asked.line, asked.environment(), asked.now))


def sla(asked: Asked) -> Page:
    rules = asked.rules
    return asked.cut(sla_rows(asked.line, rules.max_age_days, asked.now, rules.suppressions, asked.moment("since")))


def suppressions(asked: Asked) -> Page:
    now_live = asked.history.live(asked.project, asked.environment())
    sha = now_live.sha if now_live else None
    return asked.cut(suppression_rows(asked.line, asked.rules.suppressions, sha, asked.now.date()))


def deployments(asked: Asked) -> Page:
    wanted = asked.text("environment"), asked.text("outcome")
    total, rows = deployment_page(asked.history, asked.project, *wanted, limit=asked.limit, offset=asked.offset)
    return rows, total


def rejections(asked: Asked) -> Page:
    return asked.cut(rejection_rows(asked.history, asked.project))


def approvals(asked: Asked) -> Page:
    sha = asked.commit("commit") if asked.text("commit") else ""
    return asked.cut(approval_rows(asked.history, asked.project, asked.text("environment"), sha))


def requests(asked: Asked) -> Page:
    return asked.cut(request_rows(asked.history, asked.project, asked.text("state")))


def measurements(asked: Asked) -> Page:
    sha = asked.commit("commit") if asked.text("commit") else ""
    return asked.cut(measurement_rows(asked.history, asked.project, asked.text("environment"), sha))


def dora(asked: Asked) -> Page:
    days = float(asked.given.get("days") or 30)
    measured = {
        name: deployed.dora(asked.history, asked.project, name, asked.now, days) for name in asked.environments()
    }
    return asked.cut([{"environment": name} | asdict(values) for name, values in measured.items()])


def log_counts(asked: Asked) -> Page:
    sha = asked.commit("commit") if asked.text("commit") else ""
    return asked.cut(count_rows(asked.history, asked.project, asked.text("environment"), sha))


def export(asked: Asked) -> str:
    """The document; unlike the tables it has no pages."""
    sha, rules = asked.commit("commit"), asked.rules
    scan = asked.history.scan(asked.project, sha)
    if scan is None:
        raise not_scanned(asked.project, sha)
    form = Exchange(asked.text("format") or Exchange.SARIF)
    code = Code(asked.history, rules.mirror, asked.project, sha) if form is Exchange.SARIF else None
    about = (asked.project, rules.url, scan, rules.suppressions, asked.now.date())
    return exported(form, *about, rules.remedies, code)


ANSWERS: Mapping[str, Callable[[Asked], Page]] = {
    answering.__name__: answering
    for answering in (
        projects, commits, changes, stages, tests, findings, finding, finding_live, finding_narrow, finding_help, live, blame, scanned,
        compare, trends, exposure, exposure_commits, sla, suppressions, coverage, coverage_gaps, deployments,
        rejections, approvals, requests, measurements, dora, log_counts, at, at_findings, at_suppressions, at_gaps, gate_replay, exposed, exposed_commits,
        least_exposure, triage, audit_log,
    )
}  # fmt: skip
"""By the name of the question that each answers."""
