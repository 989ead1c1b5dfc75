"""What marks an answer as provisional: part of the history was read under rules of an earlier version."""

from infraaudit.questions import of_findings
from infraaudit.questions.question import Question
from infraaudit.questions.replay import of_the_past
from resources.history.queries.earlier_rules import count_of_earlier_rules
from resources.history.stored_line import StoredLine

_RESTING_ON_SCANS = {question.name for question in (*of_findings.QUESTIONS, *of_the_past.QUESTIONS)}


def mark(question: Question, line: StoredLine) -> str:
    """What is to be known of every answer to a question for now; empty where there is nothing."""
    return mark_of_line(line) if question.name in _RESTING_ON_SCANS else ""


def mark_of_line(line: StoredLine) -> str:
    """The same of every page."""
    count = count_of_earlier_rules(line)
    if not count:
        return ""
    return (
        f"{count} commits of {line.branch} were scanned by an earlier version, under other rules. They are scanned again in "
        "the background; until then, what they introduced and fixed may change."
    )
