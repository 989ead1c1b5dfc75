"""Every question to the history, declared once: the program's command, the service's path and its document come from it."""

from collections.abc import Mapping

from infraaudit.questions import of_delivery, of_findings
from infraaudit.questions.decided import questions as of_the_decided
from infraaudit.questions.export import Exchange
from infraaudit.questions.parameters import COMMIT
from infraaudit.questions.parameters import MAX_TEXT as MAX_TEXT
from infraaudit.questions.parameters import OUTCOMES as OUTCOMES
from infraaudit.questions.parameters import SEVERITIES as SEVERITIES
from infraaudit.questions.parameters import STATUSES as STATUSES
from infraaudit.questions.question import Question
from infraaudit.questions.replay import of_the_past

QUESTIONS: tuple[Question, ...] = (
    *of_delivery.QUESTIONS, *of_findings.QUESTIONS, *of_the_decided.QUESTIONS, *of_the_past.QUESTIONS,
)  # fmt: skip
EXPORT_TYPES: Mapping[str, str] = {
    Exchange.SARIF: "application/sarif+json",
    Exchange.JSON: "application/json",
    Exchange.CSV: "text/csv; charset=utf-8",
    Exchange.CYCLONEDX: "application/vnd.cyclonedx+json",
}
"""The media type of each form."""
EXPORT = Question(
    "export",
    "/projects/{project}/export",
    "Findings of one commit for other tools, as SARIF, JSON, CSV or CycloneDX.",
    (),
    {
        "commit": COMMIT,
        "format": {
            "type": "string", "enum": ["", *Exchange], "default": "sarif", "description": "The form of the document."
        },
    },
    command="export",
)  # fmt: skip
"""A document and no table: it has neither columns nor pages."""


def of_command(command: str) -> tuple[Question, ...]:
    """The questions that a command of the program asks."""
    return tuple(question for question in (*QUESTIONS, EXPORT) if question.command == command)


def asked_as(name: str) -> Question:
    """A question by its name."""
    return next(question for question in (*QUESTIONS, EXPORT) if question.name == name)
