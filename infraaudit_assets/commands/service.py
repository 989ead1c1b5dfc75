"""`infraaudit serve` and `infraaudit page`: the service, and the audit page as one file."""

import gc
import resource
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.ask import rules_of
from infraaudit_assets.commands.options import ProjectName
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.rated import rated_history
from infraaudit_assets.recipients import everyones
from infraaudit_assets.settings import Settings, settings
from infraaudit_domain.errors import HistoryError, NotThereError
from infraaudit_domain.judging.audit_log import Actor
from infraaudit_domain.judging.roles import Holder
from infraaudit_domain.projects import Project

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from infraaudit.deploying.approving import Approved
    from infraaudit.questions.asked import ProjectRules
    from infraaudit_domain.judging.verdicts import Verdict
    from resources.history import History
    from service.app import Background
    from service.notices import NoticeWorker
    from service.workers.prune_worker import PruneWorker
    from service.workers.push_worker import Launch
    from service.writing.approving import Approve

_OTHER_FILES = 1000
"""Of the database, of Git and of what threads do, besides the connections of the service."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; INFRAAUDIT_SERVICE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; INFRAAUDIT_SERVICE_PORT.")] = None,
    watch: Annotated[
        bool, typer.Option(help="Look after what is live; else `infraaudit watch` does, or nobody.")
    ] = True,
) -> None:
    """Start the service: webhooks, /metrics, the trend API and the audit page; Ctrl-C stops it."""
    import uvicorn

    from service.connections import ConnectionLimits, limited_protocol

    # Scrapes and pushes are processed in threads; the answer to a webhook must not wait for them.
    sys.setswitchinterval(0.0005)
    current = settings()
    address, number = host or current.service_host, port or current.service_port
    tokens = current.service_tokens or current.service_write_tokens or current.service_named_tokens
    if not tokens and address not in _LOOPBACK:
        print(f"Anyone who reaches {address} can read it: set INFRAAUDIT_SERVICE_TOKENS.", file=sys.stderr, flush=True)
    print(f"The audit page: http://{address}:{number} (Ctrl-C stops it)", flush=True)
    service = build_service(current, watch)
    # What is there now stays: a full collection that goes through it holds up answers for a tenth of a second.
    gc.collect()
    gc.freeze()
    # Uvicorn raises the signal again once it has shut down, and that ends us at once: as an exception, it would wait
    # for threads that wait for a repository or for Dagster. What they do is taken up again.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    limits = ConnectionLimits()
    _allow_files(limits.open + _OTHER_FILES)
    uvicorn.run(
        service, host=address, port=number, log_level="warning", server_header=False,
        timeout_keep_alive=15, http=limited_protocol(limits),
    )  # fmt: skip


def _allow_files(wanted: int) -> None:
    """Let this process open so many files and connections, where the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def page(
    project: ProjectName,
    commit: Annotated[str | None, typer.Option(help="A commit, branch or tag; by default the newest scanned.")] = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("audit.html"),
) -> None:
    """Write the audit page as one file that needs nothing beside it: to send, or to keep as evidence.

    Every delivered commit has one in the state folder, under dashboards/; this writes one now.
    """
    from datetime import UTC, datetime

    from infraaudit.pages.audit import audit_file
    from resources.history.queries.commit_findings import newest_scanned
    from resources.history.stored_line import stored_line
    from resources.machine.atomic_file import READABLE, write_atomically

    found, current = find_project(project), settings()
    past = rated_history(current)
    if commit is None:
        newest = newest_scanned(stored_line(past, found.name))
        if newest is None:
            raise HistoryError(f"{project} has no scanned commit. Run: infraaudit scan --project {project} --all")
        sha = newest.sha
    else:
        sha = mirror_of(found).resolve(commit)
    text = audit_file(past, found.name, sha, datetime.now(UTC), current.dagster_link)
    print(f"{sha[:12]}: {write_atomically(output.resolve(), text.encode(), READABLE)}")


def build_service(current: Settings, watch: bool = False) -> "Starlette":
    """The service of this installation; with ``watch`` it looks after what is live."""
    from infraaudit.forge.requests import take_request, takes_requests
    from infraaudit.operations.sweeping import sweep
    from infraaudit_assets.commands.scan import scanner_for
    from infraaudit_assets.commands.watch import watch_worker
    from resources.configuration.projects import load_projects
    from resources.dagster.api import DagsterApi
    from resources.machine.inbox import Inbox
    from service.app import ServiceOptions, build_app
    from service.received import Received
    from service.workers.live_gate_worker import LiveGateWorker
    from service.workers.narrow_worker import NarrowWorker
    from service.workers.push_worker import PushWorker
    from service.workers.upgrade_worker import UpgradeWorker

    projects = load_projects(current.projects)
    history = rated_history(current)
    for project in projects:
        history.record_project(project)
    by_name = {project.name: project for project in projects}
    launches = {project.name: _launch(project) for project in projects}
    received = Received(Inbox(current.state.inbox), history)
    dagster = DagsterApi(current.dagster_url)
    worker = PushWorker(history, received, launches, mirror_of, dagster)
    options = ServiceOptions(
        projects=[project.name for project in projects],
        urls={project.name: project.url for project in projects},
        secrets={name: [s.get_secret_value() for s in given] for name, given in current.webhook_secrets.items()},
        read_tokens=[token.get_secret_value() for token in current.service_tokens],
        write_tokens=[token.get_secret_value() for token in current.service_write_tokens],
        named_tokens={
            name: Holder(tuple(token.get_secret_value() for token in one.tokens), one.role)
            for name, one in current.service_named_tokens.items()
        },
        dagster_url=current.dagster_link,
        addresses={project.name: everyones(current, projects)(project.name).hear_failures for project in projects},
        keep_request={
            project.name: partial(take_request, history, project) for project in projects if takes_requests(project)
        },
        spool=current.state.path,
        rules=lambda name: _rules(current, by_name.get(name)),
    )
    notices = _notice_worker(current, history, projects)
    upgrades = UpgradeWorker(history, projects, mirror_of, lambda: scanner_for(history))
    narrowing = NarrowWorker(history, projects, mirror_of, lambda: scanner_for(history))
    approve = _approve(history, current)
    show, rated = dagster.show_check, lambda: rated_history(current)
    live_gate = LiveGateWorker(rated, projects, mirror_of, current.gate_file, show)
    others: list[Background] = [live_gate]
    if watch:
        others.append(watch_worker(current, history, projects, dagster))
    if any(project.forge for project in projects):
        others.append(_forge_worker(current, history, projects))
    sweep(current.state)
    if prune := _prune_worker(current):
        others.append(prune)
    return build_app(history, options, worker, notices, received, upgrades, narrowing, approve, others)


def _approve(history: "History", current: Settings) -> "Approve":
    from infraaudit.deploying import approving
    from infraaudit_assets.commands.delivery import environment_of
    from resources.configuration.projects import load_projects

    def approve(project: str, environment: str, commit: str, actor: Actor, reason: str) -> "Approved":
        # Anew each time: who may approve is what the file says now.
        found = {one.name: one for one in load_projects(current.projects)}.get(project)
        if found is None or found.fault:
            raise NotThereError(f"There is no project {project!r} here.")
        deployed_to, mirror = environment_of(found, environment), mirror_of(found)
        return approving.approve(history, mirror, found, deployed_to, mirror.resolve(commit), actor.name, reason, actor)

    return approve


def _prune_worker(current: Settings) -> "PruneWorker | None":
    from service.workers.prune_worker import PruneWorker

    if not current.prune_days:
        return None
    program = str(Path(sys.executable).parent / "infraaudit")
    limits = ["--older-than", str(current.prune_days), "--keep", str(current.prune_keep)]
    return PruneWorker([program, "prune", *limits], current.state.last_prune)


def _forge_worker(current: Settings, history: "History", projects: Sequence[Project]) -> "Background":
    from datetime import UTC, datetime

    from infraaudit.gate import judge_commit
    from infraaudit_assets.commands.forge import token_of
    from service.workers.forge_worker import ForgeWorker

    def judge(project: Project, sha: str) -> "Verdict":
        rated, place = rated_history(current), project.environment.name
        return judge_commit(rated, mirror_of(project), project, place, sha, current.gate_file, datetime.now(UTC))

    by_name = {project.name: project for project in projects}
    return ForgeWorker(history, by_name, partial(token_of, current), judge, current.public_url or "")


def _rules(current: Settings, project: Project | None) -> "ProjectRules":
    """What the configuration says now, its severities included; nothing of a project that it no longer has."""
    from infraaudit.questions.asked import ProjectRules

    rated_history(current)
    return rules_of(project) if project else ProjectRules()


def _notice_worker(current: Settings, history: "History", projects: Sequence[Project]) -> "NoticeWorker":
    from infraaudit.notices.announcer import Announcer
    from infraaudit.notices.sensor_watch import SensorWatch
    from infraaudit_domain.dagster_names import pipeline_name, sensor_name
    from resources.dagster.api import DagsterApi
    from resources.notifier import Notifier
    from service.notices import NoticeWorker

    by_name = {project.name: project for project in projects}
    recipients = everyones(current, projects)
    announcer = Announcer(history, by_name, mirror_of, current.dagster_link, current.service_url)
    sensors = {name: (pipeline_name(project), sensor_name(project)) for name, project in by_name.items()}
    watch = SensorWatch(history, DagsterApi(current.dagster_url), sensors)
    return NoticeWorker(history, announcer, lambda name: Notifier(recipients(name)), watch)


def _launch(project: Project) -> "Launch":
    from infraaudit_domain.dagster_names import pipeline_name, run_key, run_tags, sensor_name
    from resources.dagster.partitions import commits_of
    from service.workers.push_worker import Launch

    partitions = commits_of(project).name or ""
    return Launch(
        project, pipeline_name(project), partitions, sensor_name(project), lambda sha: run_key(project, sha), run_tags
    )
