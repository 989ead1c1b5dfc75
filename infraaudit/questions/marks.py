"""What marks an answer as provisional: part of the history is not scanned yet, or under rules of an earlier version."""

from infraaudit.questions import of_findings
from infraaudit.questions.question import Question
from infraaudit.questions.replay import of_the_past
from resources.history.queries.earlier_rules import count_of_earlier_rules
from resources.history.queries.scanned_past import scanned_since_first
from resources.history.stored_line import StoredLine

_RESTING_ON_SCANS = {question.name for question in (*of_findings.QUESTIONS, *of_the_past.QUESTIONS)}


def mark(question: Question, line: StoredLine) -> str:
    """What is to be known of every answer to a question for now; empty where there is nothing."""
    return mark_of_line(line) if question.name in _RESTING_ON_SCANS else ""


def mark_of_line(line: StoredLine) -> str:
    """The same of every page."""
    return " ".join(filter(None, (_earlier_rules(line), _backfill(line))))


def _earlier_rules(line: StoredLine) -> str:
    count = count_of_earlier_rules(line)
    if not count:
        return ""
    return (
        f"{count} commits of {line.branch} were scanned by an earlier version, under other rules. They are scanned again in "
        "the background; until then, what they introduced and fixed may change."
    )


def _backfill(line: StoredLine) -> str:
    """How far the scan of the past is. What lies before the first scanned commit is no gap: nobody asked for it."""
    scanned, commits = scanned_since_first(line)
    if scanned == commits:
        return ""
    return (
        f"{scanned:,} of {commits:,} commits of {line.branch} are scanned so far: what the others introduced and fixed is "
        f"known as a range only. The rest: infraaudit scan --project {line.project} --all."
    )
