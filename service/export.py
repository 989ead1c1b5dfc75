"""A commit's findings as a document for other tools, whole: unlike the tables it has no pages."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infraaudit.questions.export import Exchange, exported
from infraaudit.questions.table import EXPORT, EXPORT_TYPES
from resources.history import History
from service.audit import ProjectRules, rules_of
from service.tables import choice, refuse_unknown
from service.wanted import known_line, wanted_commit


def export_route(history: History, rules: Callable[[str], ProjectRules]) -> Route:
    """The route of the export."""

    def document(request: Request) -> Response:
        refuse_unknown(request, EXPORT.parameters)
        line = known_line(history, request)
        form = Exchange(choice(request, "format", Exchange.SARIF, list(Exchange)))
        sha = wanted_commit(line, request)
        scan = history.scan(line.project, sha)
        if scan is None:
            raise HTTPException(404, f"{sha[:12] or 'no commit'} of {line.project} has not been scanned")
        given = rules_of(rules, line.project)
        text = exported(form, line.project, given.url, scan, given.suppressions, datetime.now(UTC).date())
        return Response(text.encode("utf-8", "replace"), media_type=EXPORT_TYPES[form])

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(document, request)

    return Route(f"/api/v1{EXPORT.path}", endpoint)
