"""`infraaudit webhook test|list`: a push to try the service with, and the pushes that came."""

import json
import time
from dataclasses import asdict, fields
from typing import Annotated

import typer

from infraaudit_assets.commands.formats import print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError, DagsterUnavailableError
from infraaudit_domain.projects import Project

app = typer.Typer(help="Try the webhook, and see what came.", no_args_is_help=True)


@app.command("test")
def send_test_push(
    project: ProjectName,
    wait: Annotated[float, typer.Option(help="How long to wait for the run, in seconds.")] = 60,
) -> None:
    """Send a signed push of the newest commit to the running service, and print how long it took until its run started."""
    from infraaudit_domain.dagster_names import run_key
    from resources.dagster.api import DagsterApi

    current, found = settings(), find_project(project)
    secrets = current.webhook_secrets.get(found.name)
    if not secrets:
        raise ConfigurationError(
            f'No webhook secret for {found.name}; set INFRAAUDIT_WEBHOOK_SECRETS=\'{{"{found.name}": ["…"]}}\'.'
        )
    mirror = mirror_of(found)
    mirror.fetch()
    branch = found.deploy_branch
    sha = mirror.tip(branch)
    dagster, key = DagsterApi(current.dagster_url), run_key(found, sha)
    earlier = dagster.runs(key)
    began, clock = time.time(), time.monotonic()
    _post(f"http://{current.service_host}:{current.service_port}", found, branch, sha, secrets[0].get_secret_value())
    if earlier:
        print(
            f"{sha[:12]} has its run since before: {earlier[-1].run_id}, {earlier[-1].status}. Push a commit to see more."
        )
        return
    while time.monotonic() - clock < wait:
        runs = dagster.runs(key)
        if runs and runs[-1].started_at:
            print(f"run {runs[-1].run_id} of {sha[:12]} started after {runs[-1].started_at - began:.1f} s")
            return
        time.sleep(0.2)
    state = (
        f"run {runs[-1].run_id} is {runs[-1].status}" if runs else "there is no run; `infraaudit webhook list` says why"
    )
    print(f"not started within {wait:.0f} s: {state}")
    raise typer.Exit(1)


def _post(service: str, project: Project, branch: str, sha: str, secret: str) -> None:
    import httpx

    from infraaudit_domain.pushes import sign

    body = json.dumps({"ref": f"refs/heads/{branch}", "after": sha}).encode()
    url = f"{service}/webhooks/{project.name}"
    began = time.monotonic()
    try:
        answer = httpx.post(url, content=body, headers={"X-InfraAudit-Signature": sign(body, secret)}, timeout=10)
    except httpx.HTTPError as error:
        raise DagsterUnavailableError(
            f"The service at {service} does not answer; start it: infraaudit serve"
        ) from error
    print(f"{url}: {answer.status_code} {answer.text.strip()} after {(time.monotonic() - began) * 1000:.0f} ms")
    if answer.status_code != 202:
        raise typer.Exit(1)


@app.command("list")
def list_pushes(
    project: ProjectName,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Show what the forges sent, and what became of it."""
    from rich.table import Table

    from resources.history import open_history
    from resources.history.pushes import Push, newest_pushes

    found = newest_pushes(open_history(settings().history_url), find_project(project).name, limit)
    rows = [asdict(d) | {"received_at": d.received_at.isoformat(), "state": s, "reason": r} for d, s, r in found]
    table = Table("received", "forge", "branch", "commit", "state", "tries", "what became of it")
    for push, state, reason in found:
        when = push.received_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        words = (push.branch, push.after[:12], state, str(push.attempts), reason)
        table.add_row(when, push.forge, *words)
    columns = [*(each.name for each in fields(Push)), "state", "reason"]
    print_rows(rows, columns, chosen(form, as_json), table)
