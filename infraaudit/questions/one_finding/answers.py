"""The answers about one finding: its life, when it was live, what of it is not known, and what helps to fix it."""

from infraaudit.questions.asked import Asked, Page
from infraaudit.questions.one_finding.helping import help_for
from infraaudit.scans.unknown_events import narrow_rows, one_finding
from infraaudit_domain.errors import NotThereError
from resources.history.queries.finding_life import FindingLife, finding_life
from resources.history.queries.lives import spans_of_lives


def finding(asked: Asked) -> Page:
    return asked.cut(_life(asked).events)


def finding_live(asked: Asked) -> Page:
    return asked.cut(_life(asked).live)


def finding_narrow(asked: Asked) -> Page:
    line = asked.line_with_git()
    return asked.cut(narrow_rows(line, one_finding(line, asked.text("fingerprint"))))


def finding_help(asked: Asked) -> Page:
    return asked.cut([help_for(asked.line, asked.rules, _life(asked), asked.now.date())])


def _life(asked: Asked) -> FindingLife:
    life = finding_life(asked.line, _known(asked))
    if life is None:
        raise _no_finding()
    return life


def _known(asked: Asked) -> str:
    """The whole id of the finding that is asked for by its beginning. Raises NotThereError."""
    given = asked.text("fingerprint")
    known = [given] if len(given) == 32 else sorted({span["fingerprint"] for span in spans_of_lives(asked.line, given)})
    if len(known) > 1:
        raise NotThereError(f"More than one finding begins with {given}: {', '.join(known[:5])}.")
    if not known:
        raise _no_finding()
    return known[0]


def _no_finding() -> NotThereError:
    return NotThereError("No commit of this project ever had this finding.")
