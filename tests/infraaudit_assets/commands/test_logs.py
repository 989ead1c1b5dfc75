"""`infraaudit logs` over a target that prints what the test gives it."""

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from infraaudit_assets.commands import logs
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from resources.history import open_history
from resources.history.queries.log_counts import lines_printed
from resources.targets.target import LogLine

app = typer.Typer()
app.command()(logs.logs)
NOW = datetime.now(UTC)


class Printing:
    """A target whose containers have printed these lines."""

    name = "scripted"

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def print(self, text: str, sha: str = "c1") -> None:
        moment = NOW - timedelta(hours=1) + timedelta(seconds=len(self.lines))
        self.lines.append(LogLine(moment, "web", text, "web-1", sha))

    def logs(self, project: str, environment: str, since: datetime | None) -> Iterable[LogLine]:
        return [line for line in self.lines if since is None or line.time > since]


@pytest.fixture
def printing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterable[Printing]:
    (tmp_path / "projects.yaml").write_text(json.dumps({"projects": [{"name": "shop", "url": "/nowhere"}]}))
    monkeypatch.setenv("INFRAAUDIT_HOME", str(tmp_path))
    monkeypatch.setenv("INFRAAUDIT_PROJECTS", str(tmp_path / "projects.yaml"))
    settings.cache_clear()
    target = Printing()
    monkeypatch.setattr(logs, "target_of", lambda environment, live: target)
    yield target
    settings.cache_clear()


def shown(*words: str) -> list[str]:
    done = CliRunner().invoke(app, ["--project", "shop", "--json", *words])
    assert done.exit_code == 0, done.exception
    return [json.loads(line)["text"] for line in done.stdout.splitlines()]


def test_lines_are_collected_once_filtered_and_counted(printing: Printing) -> None:
    for text, sha in (("ready", "c1"), ("ERROR disk token=abc", "c1"), ("ERROR net", "d2")):
        printing.print(text, sha)
    assert shown() == shown() == ["ready", "ERROR disk token=***", "ERROR net"]
    assert shown("--level", "error", "--commit", "c") == ["ERROR disk token=***"]
    assert shown("--grep", "n.t", "--since", "2h") == ["ERROR net"]
    assert shown("--since", "10m") == []
    assert lines_printed(open_history(settings().history_url), "shop", "c1") == {"info": 1, "error": 1}


def test_following_shows_each_new_line_once_until_it_is_stopped(
    printing: Printing, monkeypatch: pytest.MonkeyPatch
) -> None:
    printing.print("first")
    seconds = iter(["second", "ERROR third", "skipped"])

    def sleep(_: float) -> None:
        printing.print(next(seconds)) if len(printing.lines) < 3 else stop()

    def stop() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    assert shown("--follow") == ["first", "second", "ERROR third"]


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--grep", "(")])
def test_a_wrong_word_is_reported(printing: Printing, words: tuple[str, str]) -> None:
    done = CliRunner().invoke(app, ["--project", "shop", *words])
    assert isinstance(done.exception, ConfigurationError) and words[0] in str(done.exception)
