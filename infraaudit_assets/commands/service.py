"""`infraaudit serve` and `infraaudit webhook test`: the service, and a push to try it with."""

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.domain.errors import ConfigurationError, DagsterUnavailableError
from infraaudit_assets.domain.projects import Project
from infraaudit_assets.settings import Settings, settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from service.deliveries import Launch

webhook = typer.Typer(help="Try the webhook.", no_args_is_help=True)


@webhook.callback()
def _webhook() -> None:
    """Try the webhook."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; INFRAAUDIT_SERVICE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; INFRAAUDIT_SERVICE_PORT.")] = None,
) -> None:
    """Start the service: webhooks, /metrics, the trend API and the audit page; Ctrl-C stops it."""
    import uvicorn

    current = settings()
    address, number = host or current.service_host, port or current.service_port
    print(f"The audit page: http://{address}:{number} (Ctrl-C stops it)", flush=True)
    # Uvicorn raises the signal again once it has shut down.
    with suppress(KeyboardInterrupt):
        uvicorn.run(
            build_service(current), host=address, port=number, log_level="warning", server_header=False,
            timeout_keep_alive=15, limit_concurrency=200,
        )  # fmt: skip


def build_service(current: Settings) -> "Starlette":
    """The service of this installation."""
    from resources.dagster_api import DagsterApi
    from resources.history import open_history
    from resources.notifier import Notifier
    from resources.project_file import read_projects
    from service.app import ServiceOptions, build_app
    from service.deliveries import DeliveryWorker
    from service.notices import NoticeWorker

    projects = read_projects(current.projects)
    history = open_history(current.history_url)
    for project in projects:
        history.record_project(project)
    launches = {project.name: _launch(project) for project in projects}
    worker = DeliveryWorker(history, launches, mirror_of, DagsterApi(current.dagster_url))
    options = ServiceOptions(
        projects=[project.name for project in projects],
        secrets={name: [s.get_secret_value() for s in given] for name, given in current.webhook_secrets.items()},
        read_tokens=[token.get_secret_value() for token in current.service_tokens],
        write_tokens=[token.get_secret_value() for token in current.service_write_tokens],
        dagster_url=current.dagster_url,
    )
    notify = {p.name: Notifier([*(u.get_secret_value() for u in current.notify), *p.notify]) for p in projects}
    fallback = Notifier([url.get_secret_value() for url in current.notify])
    notices = NoticeWorker(history, lambda notice: notify.get(notice.project, fallback).send(notice))
    return build_app(history, options, worker, notices)


def _launch(project: Project) -> "Launch":
    from infraaudit_assets.assets import commits_of
    from infraaudit_assets.jobs import pipeline_name
    from sensors.commits import run_key, sensor_name
    from service.deliveries import Launch

    partitions = commits_of(project).name or ""
    return Launch(project, pipeline_name(project), partitions, sensor_name(project), lambda sha: run_key(project, sha))


@webhook.command("test")
def send_test_push(
    project: Annotated[str, typer.Option(help="Name of the project, as in the projects file.")],
    wait: Annotated[float, typer.Option(help="How long to wait for the run, in seconds.")] = 60,
) -> None:
    """Send a signed push of the newest commit to the running service, and tell how long it took until its run was there."""
    import httpx

    from infraaudit_assets.domain.pushes import sign
    from resources.dagster_api import DagsterApi
    from sensors.commits import run_key

    current, found = settings(), find_project(project)
    secrets = current.webhook_secrets.get(found.name)
    if not secrets:
        raise ConfigurationError(
            f'No webhook secret for {found.name}; set INFRAAUDIT_WEBHOOK_SECRETS=\'{{"{found.name}": ["…"]}}\'.'
        )
    mirror = mirror_of(found)
    mirror.fetch()
    sha = mirror.resolve(found.deploy_branch)
    body = json.dumps({"ref": f"refs/heads/{found.deploy_branch}", "after": sha}).encode()
    signature = {"X-InfraAudit-Signature": f"sha256={sign(body, secrets[0].get_secret_value())}"}
    began = time.monotonic()
    url = f"http://{current.service_host}:{current.service_port}/webhooks/{found.name}"
    try:
        answer = httpx.post(url, content=body, headers=signature, timeout=10)
    except httpx.HTTPError as error:
        raise DagsterUnavailableError(f"The service at {url} does not answer; start it: infraaudit serve") from error
    print(f"{url}: {answer.status_code} {answer.text.strip()} after {time.monotonic() - began:.3f} s")
    if answer.status_code != 202:
        raise typer.Exit(1)
    dagster, key = DagsterApi(current.dagster_url), run_key(found, sha)
    while (run := dagster.find_run(key)) is None and time.monotonic() - began < wait:
        time.sleep(0.2)
    print(f"run {run.run_id} after {time.monotonic() - began:.1f} s" if run else f"no run within {wait:.0f} s")
    raise typer.Exit(0 if run else 1)
