"""What a question lacks before it can have an answer: a project without scans has no zero findings.

Every face asks this first and says it in its own form. Deliberately absent: a gap within scans or deployments, which
the answers themselves report.
"""

import sqlalchemy as sa

from infraaudit.questions.question import Needs
from infraaudit_domain.delivery.deployments import TRIED, Outcome
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import History, schema
from resources.history.stored_line import StoredLine


def lacks(line: StoredLine, needs: Needs, environment: str = "", sha: str = "") -> str:
    """What is missing and what to do about it, as "no scan yet: …"; empty where there is what a question needs.

    With a commit, of what ran for that commit alone.
    """
    return "" if _is_there(line, needs, environment, sha) else _missing(line, needs, environment, sha)


def has_scan(line: StoredLine, sha: str) -> bool:
    """Whether a commit, on the line or not, was scanned, however that ended."""
    scans = schema.scans
    return _has_rows(line.history, scans, scans.c.project == line.project, scans.c.sha == sha)


def _is_there(line: StoredLine, needs: Needs, environment: str, sha: str) -> bool:
    history, project = line.history, line.project

    def ran(table: sa.Table) -> bool:
        return _has_rows(history, table, table.c.project == project, *([table.c.sha == sha] if sha else []))

    match needs:
        case Needs.PROJECT:
            return _has_rows(history, schema.projects)
        case Needs.COMMIT:
            return _has_rows(history, schema.line_commits, line.is_in(schema.line_commits))
        case Needs.RUN:
            return ran(schema.stages)
        case Needs.TESTS:
            return ran(schema.test_runs)
        case Needs.SCAN:
            return _is_scanned(line)
        case Needs.REQUEST:
            return _has_rows(history, schema.change_requests, schema.change_requests.c.project == project)
        case _:
            return _has_deployment(line, environment, _OUTCOMES[needs])


def _missing(line: StoredLine, needs: Needs, environment: str, sha: str) -> str:
    project, branch = line.project, line.branch
    where = f" in {environment}" if environment else ""
    match needs:
        case Needs.PROJECT:
            return "no project yet: none has been recorded. Run: infraaudit projects add, then infraaudit run"
        case Needs.SCAN:
            scan = f"infraaudit scan --project {project} --commit {branch}"
            return f"no scan yet: no commit of {branch} of {project} has been scanned. Run: {scan}"
        case Needs.REQUEST:
            taken = "they are taken with `requests: true` below `forge:` of its entry"
            return f"no request yet: the forge of {project} has sent none; {taken}. Run: infraaudit forge test --project {project}"
        case Needs.COMMIT:
            what = f"no commit yet: none of {branch} of {project} has been recorded"
        case Needs.RUN:
            what = f"no run yet: {_commits(project, sha)} through the pipeline"
        case Needs.TESTS:
            what = f"no test run yet: {_commits(project, sha)} through the tests"
        case Needs.ATTEMPT | Needs.DEPLOYMENT:
            what = f"no deployment yet: nothing of {project} was deployed{where}"
        case _:
            what = f"no deployment yet: nothing of {project} became healthy{where}"
    return f"{what}. Run: infraaudit run --project {project} --commit {sha[:12] or branch}"


def _commits(project: str, sha: str) -> str:
    return f"{sha[:12]} of {project} did not go" if sha else f"no commit of {project} went"


_OUTCOMES = {
    Needs.ATTEMPT: tuple(Outcome),
    Needs.DEPLOYMENT: tuple(TRIED),
    Needs.HEALTHY_DEPLOYMENT: (Outcome.DEPLOYED,),
    Needs.LIVE: (Outcome.DEPLOYED,),
}


def _has_rows(history: History, table: sa.Table, *where: sa.ColumnElement[bool]) -> bool:
    return bool(history.rows(sa.select(sa.literal(1)).select_from(table).where(*where).limit(1)))


def _is_scanned(line: StoredLine) -> bool:
    scans, lines = schema.scans, schema.line_commits
    same = (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha)
    query = sa.select(scans.c.sha).join(lines, same).where(line.is_in(lines), scans.c.status != ScanStatus.FAILED.value)
    return bool(line.history.rows(query.limit(1)))


def _has_deployment(line: StoredLine, environment: str, outcomes: tuple[Outcome, ...]) -> bool:
    table = schema.deployments
    of_project = (table.c.project == line.project) & table.c.outcome.in_([one.value for one in outcomes])
    here = [table.c.environment == environment] if environment else []
    return _has_rows(line.history, table, of_project, *here)
