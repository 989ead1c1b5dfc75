"""The always-on HTTP service: webhooks, metrics, targets, the trend API and the audit page.

It reads the history, and writes what a webhook, a request to narrow a finding or an approval brings. Loopback by default;
with tokens set, every path except health and signed webhooks needs one. Deliberately absent: settings, which the command
passes in.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match, Route

from infraaudit_domain.errors import HistoryError
from infraaudit_domain.judging.roles import Holder
from resources.history import History
from resources.history.deployments import being_measured
from resources.history.queries.environments import environments
from service.api import api_routes
from service.audit import ProjectRules
from service.exporter import HistoryCollector
from service.guard import Guard
from service.notices import NoticeWorker
from service.pages import page_routes, refusal_page
from service.past_pages import past_routes
from service.received import Received
from service.webhook import REASONS, KeepRequest, Webhook
from service.workers.narrow_worker import NarrowWorker
from service.workers.push_worker import PushWorker
from service.workers.upgrade_worker import UpgradeWorker
from service.writing.approving import Approve

_BUSY = "The history cannot be read now: it may be busy or being migrated. Try again in a moment."


class Background(Protocol):
    """A worker of the service that nobody asks for anything."""

    async def run(self) -> None:
        """Work until cancelled."""


@dataclass(frozen=True)
class ServiceOptions:
    """What the command that starts the service passes to it."""

    projects: Sequence[str]
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    """The projects' repositories."""
    read_tokens: Sequence[str] = ()
    write_tokens: Sequence[str] = ()
    named_tokens: Mapping[str, Holder] = field(default_factory=dict)
    """By the name of the person or program that has them."""
    dagster_url: str = ""
    addresses: Mapping[str, int] = field(default_factory=dict)
    """How many addresses would be notified of a failing test, by project."""
    keep_request: Mapping[str, KeepRequest] = field(default_factory=dict)
    """Stores a pull or merge request, by each project that takes them."""
    spool: Path | None = None
    """A folder that exists, for large bodies; by default the system's for temporary files."""
    rules: Callable[[str], ProjectRules] = lambda _: ProjectRules()
    """The configuration of a project, read again for each request so that an edit needs no restart."""


def build_app(
    history: History,
    options: ServiceOptions,
    worker: PushWorker | None = None,
    notices: NoticeWorker | None = None,
    received: Received | None = None,
    upgrades: UpgradeWorker | None = None,
    narrowing: NarrowWorker | None = None,
    approve: Approve | None = None,
    others: Sequence[Background] = (),
) -> Starlette:
    """The service over a history. Without workers, pushes and notices are stored and wait, the history stays under the
    rules that it was read by, nothing can be narrowed, nothing is pruned, and nobody looks after what is live; without
    ``received`` there is no webhook."""
    rejected: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
    webhooks: list[Route] = []
    if received:
        wake = worker.wake if worker else lambda: None
        webhook = Webhook(
            received,
            options.secrets,
            options.projects,
            rejected,
            wake,
            options.spool,
            options.urls,
            options.keep_request,
        )
        webhooks.append(Route("/webhooks/{project}", webhook.receive, methods=["POST"]))
    secured = bool(options.read_tokens or options.write_tokens or options.named_tokens)
    registry = CollectorRegistry()
    registry.register(HistoryCollector(history, rejected, options.addresses))

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    reading_ahead: list[asyncio.Task[None]] = []

    async def metrics(_: Request) -> Response:
        if not all(task.done() for task in reading_ahead):
            return PlainTextResponse("The history is being read for the first time.\n", 503, {"Retry-After": "5"})
        return Response(await run_in_threadpool(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)

    async def targets(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(_targets, history))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(each.run()) for each in (worker, notices, upgrades, narrowing, *others) if each
        ]
        # The first read of a long history takes seconds: until it is done, a scrape gets 503 instead of having to wait.
        reading_ahead.append(asyncio.create_task(_read_ahead(registry)))
        yield
        for task in [*tasks, *reading_ahead]:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    return Starlette(
        routes=[
            Route("/healthz", health),
            Route("/metrics", metrics),
            Route("/sd", targets),
            *webhooks,
            *api_routes(history, options.rules, secured, narrowing, approve),
            *page_routes(history, options.dagster_url, options.rules, options.addresses),
            *past_routes(history, options.rules, options.dagster_url),
        ],
        middleware=[
            Middleware(Guard, read=options.read_tokens, write=options.write_tokens, named=options.named_tokens)
        ],
        exception_handlers={HTTPException: _refuse, HistoryError: _refuse},
        lifespan=lifespan,
    )


async def _read_ahead(registry: CollectorRegistry) -> None:
    await asyncio.to_thread(generate_latest, registry)


def _targets(history: History) -> list[dict[str, object]]:
    """What is live, and what is measured before it is, in the format of Prometheus' http_sd.

    An address is listed once: where both have one, what is measured answers there.
    """
    groups: list[dict[str, object]] = []
    for project, environment in environments(history):
        found = (history.live(project, environment), being_measured(history, project, environment))
        shas = {urlsplit(one.url).netloc: one.sha for one in found if one and one.url}
        for address, sha in shas.items():
            labels = {"project": project, "environment": environment, "sha": sha}
            groups.append({"targets": [address], "labels": labels})
    return groups


async def _refuse(request: Request, error: Exception) -> Response:
    status, reason = (error.status_code, error.detail) if isinstance(error, HTTPException) else (503, _BUSY)
    headers = getattr(error, "headers", None)
    page = request.url.path == "/" or request.url.path.startswith("/projects/")
    answer = refusal_page(status, reason) if page else JSONResponse({"error": reason}, status)
    answer.headers.update(headers or {})
    if status == 405:
        answer.headers["Allow"] = ", ".join(_methods_at(request))
    return answer


def _methods_at(request: Request) -> list[str]:
    """The methods of a path over all of its routes: each of them alone names its own."""
    matching = (one for one in request.app.routes if one.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in matching for method in route.methods or ()})
