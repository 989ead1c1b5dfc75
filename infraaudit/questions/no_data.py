"""What a question lacks before it can have an answer: a project without scans has no zero findings.

Every face asks this first and says it in its own form. Deliberately absent: a gap within scans or deployments, which
the answers themselves report.
"""

import sqlalchemy as sa

from infraaudit.questions.question import Needs
from infraaudit_domain.delivery.deployments import TRIED, Outcome
from infraaudit_domain.scans.findings import ScanStatus
from resources.history import schema
from resources.history.stored_line import StoredLine


def lacks(line: StoredLine, needs: Needs, environment: str = "") -> str:
    """What is missing and what to do about it, as "no scan yet: …"; empty where there is what a question needs."""
    start = f"Run: infraaudit run --project {line.project} --commit {line.branch}"
    where = f" in {environment}" if environment else ""
    if needs is Needs.SCAN and not _is_scanned(line):
        scan = f"infraaudit scan --project {line.project} --commit {line.branch}"
        return f"no scan yet: no commit of {line.branch} of {line.project} has been scanned. Run: {scan}"
    if needs is Needs.DEPLOYMENT and not _has_deployment(line, environment, *TRIED):
        return f"no deployment yet: nothing of {line.project} was deployed{where}. {start}"
    if needs is Needs.HEALTHY_DEPLOYMENT and not _has_deployment(line, environment, Outcome.DEPLOYED):
        return f"no deployment yet: nothing of {line.project} became healthy{where}. {start}"
    return ""


def _is_scanned(line: StoredLine) -> bool:
    scans, lines = schema.scans, schema.line_commits
    same = (scans.c.project == lines.c.project) & (scans.c.sha == lines.c.sha)
    query = sa.select(scans.c.sha).join(lines, same).where(line.is_in(lines), scans.c.status != ScanStatus.FAILED.value)
    return bool(line.history.rows(query.limit(1)))


def _has_deployment(line: StoredLine, environment: str, *outcomes: Outcome) -> bool:
    table = schema.deployments
    query = sa.select(table.c.id).where(
        table.c.project == line.project, table.c.outcome.in_([one.value for one in outcomes])
    )
    query = query.where(table.c.environment == environment) if environment else query
    return bool(line.history.rows(query.limit(1)))
