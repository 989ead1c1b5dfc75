"""README.md and the pages of docs name only commands, options, targets, files, addresses and variables that exist.

Deliberately absent: running the installation commands; tests/e2e runs those on real systems.
"""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from starlette.routing import Match

from infraaudit_assets.cli import app
from resources.machine.inbox import Inbox
from service.app import ServiceOptions, build_app
from service.received import Received
from tests import ROOT
from tests.docs.test_settings_page import LISTED
from tests.service.conftest import history_of_four_commits

DOCUMENTS = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("answers", "forges", "operations", "repositories", "security")),
]
QUESTIONS = ("findings", "blame", "compare", "trends", "exposure", "sla", "suppressions", "export")
MADE_BY_THE_READER = (
    "docker/secrets",
    "docker/.env",
    "configs/kubernetes/production",
    "configs/suppressions/<project>",
)
KUBERNETES_OBJECTS = "service/infraaudit-"
_FOLDERS = "infraaudit_assets|infraaudit_domain|configs|docker|scanner|examples|tests|docs|benchmarks|sensors|service"
COMMAND = typer.main.get_command(app)
_SHOP = ("--project", "shop")
COMPLETED: dict[str, tuple[str, ...]] = {
    "infraaudit at 2026-03-01T14:03": _SHOP,
    "infraaudit backup": ("-",),
    "infraaudit exposed --rule FILE": _SHOP,
    "infraaudit forge test": _SHOP,
    "infraaudit gate replay --file new-gate.yaml": _SHOP,
    "infraaudit least-exposure": _SHOP,
    "infraaudit projects events": _SHOP,
    "infraaudit run": (*_SHOP, "--commit", "main"),
    "infraaudit scan --again": _SHOP,
    "infraaudit webhook list": _SHOP,
}
"""Arguments that a sentence omits where it only names a command."""


def _named(pattern: str) -> list[tuple[Path, str]]:
    return [(document, found) for document in DOCUMENTS for found in re.findall(pattern, document.read_text())]


def _invocations() -> list[str]:
    """Every `infraaudit …` in a block of commands, behind an entrypoint, or in backquotes that start with it."""
    texts = [re.sub(r"\s+", " ", found) for _, found in _named(r"`(infraaudit [a-z][^`]*)`")]
    lines = [line for document in DOCUMENTS for line in document.read_text().splitlines() if line.startswith("    ")]
    started = re.compile(r"(?:^|infraaudit-entrypoint |bin/|service )(infraaudit [a-z][^|<>;]*)")
    texts += [found for line in lines for found in started.findall(line.strip().split(" #")[0])]
    return sorted({text.strip() for text in texts})


@pytest.mark.parametrize("invocation", _invocations())
def test_the_cli_accepts_every_documented_command(invocation: str) -> None:
    command, words = COMMAND, shlex.split(invocation, comments=True)[1:]
    while hasattr(command, "resolve_command"):
        _, command, words = command.resolve_command(command.context_class(command), words)
    # Parsed as when it is called: unknown options, values outside of a choice and missing arguments are refused.
    command.parse_args(command.context_class(command), [*words, *COMPLETED.get(invocation, ())])


def test_commands_were_found() -> None:
    assert len(_invocations()) > 25


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_and_link_exists(document: Path) -> None:
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert not [link for link in links if not (document.parent / link).exists()]
    paths = re.findall(rf"(?<![\w/.@-])(?:{_FOLDERS})/[\w./*<>-]*[\w*]", text)
    ours = [path for path in paths if not path.startswith((*MADE_BY_THE_READER, KUBERNETES_OBJECTS))]
    assert not [path for path in ours if not list(ROOT.glob(path))]


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {target for _, target in _named(r"(?:`|^    )make ([a-z-]+)")} <= targets


def test_every_variable_is_listed() -> None:
    assert {name for _, name in _named(r"\bINFRAAUDIT_([A-Z][A-Z_0-9]*)")} <= LISTED


@pytest.fixture
def routes(tmp_path: Path) -> list:
    history = history_of_four_commits(tmp_path)
    service = build_app(history, ServiceOptions(["shop"], {}), received=Received(Inbox(tmp_path / "inbox"), history))
    return service.routes


def test_every_address_of_the_service_exists(routes: list) -> None:
    for document, path in _named(r"`(/(?!var/)[\w/{}]+)`"):
        if path == "/api/v1":
            continue  # what all questions stand under; the next test asks for each of them
        scope = {"type": "http", "path": path, "method": "GET", "headers": []}
        assert any(route.matches(scope)[0] is not Match.NONE for route in routes), f"{document.name}: {path}"


def test_every_question_of_the_cli_has_its_path_as_the_readme_says(routes: list) -> None:
    assert "the same answers are under `/api/v1`" in re.sub(r"\s+", " ", (ROOT / "README.md").read_text()).lower()
    last = {route.path.rsplit("/", 1)[-1] for route in routes if route.path.startswith("/api/v1/")}
    assert set(QUESTIONS) <= last, f"without a path: {set(QUESTIONS) - last}"
