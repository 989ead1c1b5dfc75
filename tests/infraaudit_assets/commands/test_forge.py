"""`infraaudit forge test|list|allow`, the doctor and the page of a project, with a real forge's stand-in."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infraaudit.pages.audit.contents import Wanted, overview
from infraaudit.pages.audit.links import ServiceLinks
from infraaudit.pages.audit.rendering import render
from infraaudit_assets.cli import app
from infraaudit_assets.commands.doctor import _forges
from infraaudit_assets.commands.forge import token_of
from infraaudit_assets.commands.projects import find_project
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.forge.request_payloads import change_request_of
from infraaudit_domain.reporting.forge_address import ForgeKind
from resources.history import open_history
from resources.history.forge.change_requests import request_rows, store_request
from resources.history.forge.expected import expect_statuses
from resources.history.forge.faults import faults, note_fault
from resources.history.forge.statuses import newest_statuses
from resources.history.stored_line import stored_line
from tests.conftest import Repository
from tests.forges.stand_in import REPOSITORY, TOKEN, Script, StandIn, running
from tests.infraaudit_domain.forge.request_events import HEADERS, event
from tests.resources.databases import migrated_history


@pytest.fixture
def sha(repository: Repository) -> str:
    return repository.write({"a": "1"}, "<script>")


@pytest.fixture(params=[ForgeKind.GITHUB])
def forge(request: pytest.FixtureRequest, sha: str) -> Iterator[StandIn]:
    with running(request.param, [sha]) as server:
        yield server


@pytest.fixture(autouse=True)
def installation(
    forge: StandIn, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    given = {"kind": forge.kind.value, "api": forge.forge.api, "repository": REPOSITORY}
    entry = {"name": "shop", "url": str(repository.path), "forge": given}
    other = {"name": "other", "url": str(repository.path), "forge": given}
    (tmp_path / "projects.yaml").write_text(json.dumps({"projects": [entry, other]}))
    monkeypatch.setenv("INFRAAUDIT_PROJECTS", str(tmp_path / "projects.yaml"))
    monkeypatch.setenv("INFRAAUDIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("INFRAAUDIT_FORGE_TOKENS", json.dumps({"shop": TOKEN}))
    monkeypatch.delenv("INFRAAUDIT_DATABASE_URL", raising=False)
    settings.cache_clear()
    (tmp_path / "home").mkdir()
    migrated_history(tmp_path / "home").close()
    yield
    settings.cache_clear()


def asked(*words: str) -> Result:
    return CliRunner().invoke(app, ["forge", *words])


@pytest.mark.parametrize("forge", list(ForgeKind), indirect=True)
def test_every_call_is_tried_and_what_waited_may_be_sent(forge: StandIn, sha: str) -> None:
    note_fault(open_history(settings().history_url), "shop", "HTTP 401", datetime.now(UTC), 600)
    done = asked("test", "--project", "shop", "--json")
    assert done.exit_code == 0, done.output
    assert [row["good"] for row in json.loads(done.stdout)] == [True, True, True]
    assert forge.shown(sha).keys() == {"infraaudit/shop/forge-test"}
    assert faults(open_history(settings().history_url)) == {}


@pytest.mark.parametrize(
    ("rights", "calls", "says"),
    [
        (None, 1, "HTTP 401: Bad credentials. It needs a fine-grained token"),
        (set(), 1, "the token may not see it: it needs a fine-grained token"),
        ({"read"}, 3, "HTTP 403: Resource not accessible by personal access token. It needs"),
    ],
)
def test_what_the_token_lacks_is_said(forge: StandIn, rights: set[str] | None, calls: int, says: str) -> None:
    forge.tokens = {} if rights is None else {TOKEN: rights}
    done = asked("test", "--project", "shop", "--json")
    rows = json.loads(done.stdout)
    assert done.exit_code == 1 and len(rows) == calls and says in rows[-1]["words"]
    assert TOKEN not in done.output


def test_words_of_a_forge_are_no_markup(forge: StandIn) -> None:
    forge.scripts = [Script(401, {}, json.dumps({"message": "[/nonsense] [link=x]y \x1b[31m"}).encode())]
    done = asked("test", "--project", "shop")
    assert done.exit_code == 1 and "[/nonsense]" in done.output and "\x1b[31m" not in done.output


def test_another_projects_token_is_never_used(forge: StandIn) -> None:
    done = asked("test", "--project", "other")
    assert done.exit_code != 0 and isinstance(done.exception, ConfigurationError)
    assert "other has no token for its forge" in str(done.exception) and forge.received == []


@pytest.mark.parametrize("content", [b"", b"a b", b"a\nb", b"\xff\xfe", b"x" * 5000])
def test_a_token_file_that_holds_none_is_refused_and_its_content_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    text = json.loads((tmp_path / "projects.yaml").read_text())
    text["projects"][0]["forge"]["token_file"] = str(path)
    (tmp_path / "projects.yaml").write_text(json.dumps(text))
    with pytest.raises(ConfigurationError) as caught:
        token_of(settings(), find_project("shop"))
    assert str(path) in str(caught.value) and "a b" not in str(caught.value).replace("a space", "")
    path.write_text(f"{TOKEN}\n")
    assert token_of(settings(), find_project("shop")) == TOKEN, "read anew, and before that of the settings"


def test_the_doctor_and_the_page_say_why_a_forge_takes_nothing() -> None:
    history = open_history(settings().history_url)
    assert [(part.name, part.found) for part in _forges(settings())] == [
        ("forge of shop", True),
        ("forge of other", False),
    ]
    note_fault(history, "shop", "HTTP 401: <script>x</script>", datetime.now(UTC), 600)
    assert next(part.detail for part in _forges(settings())) == "HTTP 401: <script>x</script>"
    history.record_project(find_project("shop"))
    line = stored_line(history, "shop")
    values = overview(line, Wanted(), ServiceLinks("shop", ""), datetime.now(UTC))
    page = render("project.html", windows=[], day_choices=[], outcomes=[], provisional=None, title="", **values)
    assert "Its forge takes no statuses" in page and "<script>x" not in page


def test_what_a_forge_is_shown_is_listed(sha: str) -> None:
    expect_statuses(open_history(settings().history_url), "shop", [sha])
    rows = json.loads(asked("list", "--project", "shop", "--json").stdout)
    assert {(row["sha"], row["state"], row["sent"]) for row in rows} == {(sha, "pending", False)} and len(rows) == 3
    assert "infraaudit/shop/scan" in asked("list", "--project", "shop").output


def test_a_member_lets_one_head_of_a_fork_be_read(forge: StandIn, tmp_path: Path) -> None:
    head, project = "c" * 40, tmp_path / "projects.yaml"
    given = json.loads(project.read_text())
    history = open_history(settings().history_url)
    known = change_request_of("github", HEADERS["github"], event("github", source="stranger/shop", head=head))
    assert known is not None
    store_request(history, "shop", known)
    words = ("allow", "--project", "shop", "--request", "7", "--commit")
    assert "requests: true" in str(asked(*words, head).exception)
    given["projects"][0]["forge"]["requests"] = True
    project.write_text(json.dumps(given))
    assert "full SHA" in str(asked(*words, head[:12]).exception), "a stranger can make another one that begins so"
    assert f"its head is {head}, not" in str(asked(*words, "d" * 40).exception)
    assert request_rows(history, "shop")[0]["verdict"] == "waits"
    done = asked(*words, head)
    assert done.exit_code == 0 and "going to be scanned" in done.output
    assert [row["verdict"] for row in request_rows(history, "shop")] == ["pending"]
    assert [(row["context"], row["words"]) for row in newest_statuses(history, "shop", 9)] == [
        ("infraaudit/shop/scan", "Queued")
    ]
