"""`infraaudit logs`: what the deployed containers printed."""

import json
import re
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.text import Text

from infraaudit_assets.commands.delivery import environment_of, target_of
from infraaudit_assets.commands.formats import print_row
from infraaudit_assets.commands.options import AsJson, EnvironmentName, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.projects import find_project
from infraaudit_assets.commands.terminal import standard_output
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_STYLES = {"error": "red", "warning": "yellow", "debug": "dim"}
_FOLLOW_SECONDS = 2
_COLUMNS = ("time", "commit", "pod", "container", "level", "text")


def logs(
    project: ProjectName,
    environment_name: EnvironmentName = None,
    commit: Annotated[str, typer.Option(help="Only lines of this commit (or its first digits).")] = "",
    since: Annotated[str | None, typer.Option(help="30s, 10m, 2h, 7d, or an ISO time.")] = None,
    level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    grep: Annotated[str, typer.Option(help="Only lines that this regular expression finds something in.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Collect and show new lines until Ctrl-C.")] = False,
    collect: Annotated[bool, typer.Option(help="Read new lines from the containers first.")] = True,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Show the kept lines, newest last."""
    from infraaudit.deploying.logs import collect_logs
    from infraaudit.questions.no_data import lacks
    from infraaudit.questions.question import Needs
    from resources.history import open_history
    from resources.history.stored_line import StoredLine
    from resources.logs.store import LogStore

    found = find_project(project)
    environment, start = environment_of(found, environment_name), _start(since)
    pattern = _pattern(grep)
    now = settings()
    store = LogStore(now.state.logs(found.name), days=now.log_days, max_bytes=now.log_megabytes * 1024 * 1024)

    def collected() -> list[dict[str, Any]]:
        past = open_history(now.history_url)
        return collect_logs(
            past, store, target_of(environment, past.live(found.name, environment.name)), found, environment
        )

    if (how := chosen(form, as_json)) is Format.CSV:
        print(",".join(_COLUMNS))
    if collect or follow:
        collected()
    _show(store.read(environment.name, since=start, level=level, sha=commit, matching=pattern.search), how)
    line = StoredLine(open_history(now.history_url), found.name, found.deploy_branch, [])
    if store.last(environment.name) is None and (missing := lacks(line, Needs.DEPLOYMENT, environment.name)):
        print(json.dumps({"no_data": missing}) if how is Format.JSON else missing,
              file=sys.stderr if how is Format.CSV else sys.stdout)  # fmt: skip
    try:
        while follow:
            time.sleep(_FOLLOW_SECONDS)
            rows = (row for row in collected() if row["commit"].startswith(commit) and level in (None, row["level"]))
            _show((row for row in rows if pattern.search(row["text"])), how)
    except KeyboardInterrupt:
        return


def _start(since: str | None) -> datetime | None:
    if since is None:
        return None
    if (found := re.fullmatch(r"(\d{1,9})([smhd])", since)) is not None:
        return datetime.now(UTC) - timedelta(seconds=int(found.group(1)) * _UNITS[found.group(2)])
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        raise ConfigurationError(f"--since {since} is neither like 10m nor an ISO time.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _pattern(grep: str) -> re.Pattern[str]:
    try:
        return re.compile(grep)
    except re.error as error:
        raise ConfigurationError(f"--grep {grep!r} is no regular expression: {error}.") from error


def _show(rows: Iterable[dict[str, Any]], how: Format) -> None:
    console = standard_output()
    for row in rows:
        if how is not Format.TABLE:
            print_row(row, _COLUMNS, how)
        else:
            head = f"{row['time'][11:23]} {row['commit'][:8]} {row['pod'] or row['container']} "
            console.print(Text.assemble((head, "dim"), (row["text"], _STYLES.get(row["level"], ""))), soft_wrap=True)
