"""The two sides of the table of questions: the service answers what the program asks, with the same parameters."""

from infraaudit.questions.table import EXPORT, QUESTIONS
from infraaudit_assets.commands.catalog import COMMANDS
from infraaudit_assets.commands.lazy import load

_NO_QUESTIONS = {"scan", "page"}
_OTHERWISE = {
    "export": {"format": "form"},
    "findings": {"commit": "at", "q": "check", "status": "", "framework": "", "order": ""},
}
"""Parameters of the service that the program has under another name, or (empty) leaves to its table."""


def test_every_question_of_the_program_has_a_path_under_the_service() -> None:
    asked = {name for name, entry in COMMANDS.items() if entry.panel == "Ask the history"} - _NO_QUESTIONS
    assert asked | {"dora"} == {question.command for question in (*QUESTIONS, EXPORT) if question.command}


def test_the_program_has_every_parameter_that_the_service_has() -> None:
    for question in (question for question in (*QUESTIONS, EXPORT) if question.command):
        command = load(question.command, COMMANDS[question.command])
        there = {parameter.name for parameter in command.params}
        other = _OTHERWISE.get(question.command, {})
        wanted = {other.get(name, name) for name in question.parameters} - {""}
        assert wanted <= there, question.path
