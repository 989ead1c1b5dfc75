"""The faces of the table of questions: the program, the service and its document lack no question, parameter or column.

A page shows a question's rows under the titles of the table: tests/infraaudit/pages/test_headings.py.
"""

import csv
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from infraaudit.questions import answers
from infraaudit.questions.question import Question
from infraaudit.questions.table import EXPORT, QUESTIONS, of_command
from infraaudit_assets.cli import app
from infraaudit_assets.commands.catalog import COMMANDS
from infraaudit_assets.commands.lazy import load
from infraaudit_assets.settings import settings
from resources.history import History
from resources.history.stored_line import stored_line
from tests.service.conftest import RULES, SHAS, START, B

_TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
_ASKED = [question for question in QUESTIONS if question.name not in ("projects", "compare")]
"""Those that answer without a mirror; compare has its own test, and `projects list` reads a file."""


_GIVEN: dict[str, dict[str, str]] = {
    "at": {"when": (START + timedelta(hours=4)).isoformat()},
    "exposed": {"check": "CKV_A"},
    "exposed_commits": {"check": "CKV_A"},
}
"""Values without which there is no answer, or one of the moment that it is given in."""


@pytest.fixture
def installation(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The history of the service's tests, with the line that it stored and the rules of the service's project."""
    (tmp_path / "projects.yaml").write_text("projects: [{name: shop, url: /nowhere}]")
    for name, value in {"HOME": tmp_path, "PROJECTS": tmp_path / "projects.yaml", "DATABASE_URL": history.url}.items():
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    monkeypatch.setattr("infraaudit_assets.commands.ask._line", lambda *_: stored_line(history, "shop"))
    monkeypatch.setattr("infraaudit_assets.commands.ask.rules_of", lambda _: RULES)
    settings.cache_clear()
    yield
    settings.cache_clear()


def asked(question: Question, form: str) -> str:
    words = [*question.command.split(), "--project", "shop", "--format", form]
    for name, value in _GIVEN.get(question.name, {}).items():
        words += [value] if name in question.positional else [f"--{name}", value]
    words += ["--max-scans", "0"] if question.command == "exposed" else []
    words += [B.fingerprint] if "{fingerprint}" in question.path else []
    words += ["--of", question.of] if len(of_command(question.command)) > 1 else []
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.stdout


def test_every_question_has_an_answer_and_a_command() -> None:
    for question in (*QUESTIONS, EXPORT):
        assert callable(getattr(answers, question.name)), question.name
        assert question.command.split()[0] in COMMANDS, question.name
    assert (
        len({question.name for question in QUESTIONS})
        == len({question.path for question in QUESTIONS})
        == len(QUESTIONS)
    )


def test_every_command_has_every_parameter_of_its_questions() -> None:
    for question in (question for question in (*QUESTIONS, EXPORT) if " " not in question.command):
        command = load(question.command, COMMANDS[question.command])
        there = {parameter.name: parameter for parameter in command.params}
        assert question.parameters.keys() <= there.keys(), question.name
        for name, schema in question.parameters.items():
            wanted = question.command_defaults.get(name, schema.get("default")) or None
            assert (there[name].default or None) == wanted, (question.name, name)
            assert there[name].help == schema["description"], (question.name, name)


def test_the_document_has_every_question_parameter_and_column(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert list(paths) == [f"/api/v1{question.path}" for question in (*QUESTIONS, EXPORT)]
    for question in QUESTIONS:
        operation = paths[f"/api/v1{question.path}"]["get"]
        reported = {each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == "query"}
        assert {name: reported.get(name) for name in question.parameters} == dict(question.parameters)
        page = operation["responses"]["200"]["content"]["application/json"]["schema"]
        row = page["properties"]["items"]["items"]
        assert list(row["properties"]) == list(question.names), question.name


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize("question", _ASKED, ids=lambda question: question.name)
def test_both_faces_give_the_same_rows_with_the_columns_and_types_of_the_table(
    question: Question,
    client: TestClient,
) -> None:
    rows: list[dict[str, Any]] = json.loads(asked(question, "json"))
    defaults = {name: value for name, value in question.command_defaults.items() if name in question.parameters}
    path = question.path.replace("{project}", "shop").replace("{fingerprint}", B.fingerprint)
    served = client.get(
        f"/api/v1{path}", params={"limit": "10000", **defaults, **_GIVEN.get(question.name, {})}
    ).json()["items"]
    assert rows and [list(row) for row in rows] == [list(question.names)] * len(rows)
    # Ages and hours of what is still open grow between the two questions.
    grows = {column.name for column in question.columns if column.type == "number"}
    assert [_without(row, grows) for row in rows] == [_without(row, grows) for row in served]
    for row in rows:
        for column in question.columns:
            value = row[column.name]
            is_whole = isinstance(value, bool) and column.type != "boolean"
            assert value is None or (isinstance(value, _TYPES[column.type]) and not is_whole), (column, value)
    listed = list(csv.DictReader(asked(question, "csv").splitlines(keepends=True)))
    assert [list(row) for row in listed] == [list(row) for row in rows]
    for column in (column for column in question.columns if column.type == "integer"):
        assert all(row[column.name] == "" or row[column.name].isdecimal() for row in listed), column


def _without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.parametrize(
    ("query", "checks"),
    [
        ("check=CKV_B", ["CKV_B"]),
        (f"at={SHAS[1]}&order=file", ["CKV_C"]),
        (f"at={SHAS[1]}&order=file&status=any", ["CKV_C", "CKV_A"]),
        ("live=true&status=any", ["CKV_B", "CKV_A", "CKV_D"]),
        (f"new_since={SHAS[1][:9]}", ["CKV_B"]),
        ("path=main", ["CKV_B"]),
        ("path=main&status=suppressed", ["CKV_A", "CKV_D"]),
        ("path=mai", []),
    ],
)
def test_the_service_takes_what_only_the_program_took(client: TestClient, query: str, checks: list[str]) -> None:
    items = client.get(f"/api/v1/projects/shop/findings?{query}").json()["items"]
    assert [row["check_id"] for row in items] == checks


def test_what_a_question_names_and_is_not_there_is_refused(client: TestClient) -> None:
    api = "/api/v1/projects/shop"
    for query in (
        f"findings?at={SHAS[0]}&live=true",
        "findings?live=true&environment=elsewhere",
        "trends?branch=other",
    ):
        answer = client.get(f"{api}/{query}")
        assert (answer.status_code, bool(answer.json()["error"])) == (404, True), query
    assert client.get(f"{api}/findings?live=perhaps").status_code == 400
    assert client.get(f"{api}/dora?days=7.5").json()["items"][0]["days"] == 7.5
