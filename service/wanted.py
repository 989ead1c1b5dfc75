"""What a request asks for, in terms of the history, for page and API alike. Raises HTTPException 400, 404."""

import re

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request

from infraaudit.questions.table import SEVERITIES, STATUSES
from infraaudit_domain.reporting.columns import ORDERS
from infraaudit_domain.scans.findings import FindingStatus
from resources.history import History, schema
from resources.history.queries.commit_findings import newest_scanned
from resources.history.queries.environments import recorded_projects
from resources.history.queries.finding_pages import FindingFilter
from resources.history.stored_line import StoredLine, stored_line
from service.tables import MAX_OFFSET, MAX_PAGE, choice, number, text, word


def known_line(history: History, request: Request) -> StoredLine:
    """The line of the project in the path."""
    project = str(request.path_params["project"])
    if project not in recorded_projects(history):
        raise HTTPException(404, "no such project")
    return stored_line(history, project)


def known_fingerprint(request: Request) -> str:
    """The fingerprint in the path."""
    given = str(request.path_params["fingerprint"])
    if not re.fullmatch(r"[0-9a-f]{32}", given):
        raise HTTPException(404, "no such finding; its id is 32 hexadecimal digits")
    return given


def wanted_findings(request: Request) -> FindingFilter:
    return FindingFilter(
        severity=choice(request, "severity", "", SEVERITIES),
        status=choice(request, "status", FindingStatus.OPEN.value, STATUSES),
        framework=word(request, "framework"),
        text=text(request, "q"),
        order=choice(request, "order", "severity", ORDERS),
    )


def wanted_commit(line: StoredLine, request: Request, given: str = "", name: str = "commit") -> str:
    """The commit that a path or query names, by default the newest scanned; empty where there is none."""
    given = given or request.query_params.get(name, "")
    if not given:
        newest = newest_scanned(line)
        return newest.sha if newest else ""
    if not re.fullmatch(r"[0-9a-f]{7,64}", given):
        raise HTTPException(400, f"{name} is 7 to 64 hexadecimal digits")
    table = schema.commits
    query = sa.select(table.c.sha).where(table.c.project == line.project, table.c.sha.startswith(given)).limit(2)
    found = line.history.rows(query)
    if len(found) != 1:
        raise HTTPException(404, "no such commit, or more than one that begins with this")
    return str(found[0]["sha"])


def offset_of(request: Request) -> int:
    return number(request, "offset", 0, 0, MAX_OFFSET)


def page_of(request: Request) -> tuple[int, int]:
    """The limit and the offset."""
    return number(request, "limit", 50, 1, MAX_PAGE), offset_of(request)
