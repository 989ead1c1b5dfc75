"""Questions to one finding."""

from infraaudit.questions.question import Needs, Question, typed
from infraaudit_domain.reporting.columns import HELP_COLUMNS

_OF = "/projects/{project}"

QUESTIONS: tuple[Question, ...] = (
    Question(
        "finding",
        f"{_OF}/findings/{{fingerprint}}",
        "The life of one finding: what happened to it, the oldest event first, and when it was live.",
        typed(
            (
                "life", "event", "cause", "commit", "after", "certainty", "at", "author", "subject", "id", "severity", "check_id",
                "check_name", "file_path", "resource", "line_start", "suppression_reason",
            ),
            integer="line_start",
        ),
        needs=(Needs.SCAN,),
        command="life",
        of="events",
        shown="event at commit certainty after author cause check_id file_path line_start resource subject",
    ),
    Question(
        "finding_live",
        f"{_OF}/findings/{{fingerprint}}/live",
        "From when to when one finding was live.",
        typed(("environment", "live_from", "live_to")),
        needs=(Needs.SCAN,),
        command="life",
        of="live",
    ),
    Question(
        "finding_narrow",
        f"{_OF}/findings/{{fingerprint}}/narrow",
        "The events of one finding whose commit is not known, and which commit to scan next to find it.",
        typed(("id", "event", "commit", "after", "certainty", "next", "reason", "run")),
        needs=(Needs.SCAN,),
        command="life",
        of="narrow",
    ),
    Question(
        "finding_help",
        f"{_OF}/findings/{{fingerprint}}/help",
        "How to fix one finding: its remedy and code, its owner, and how to accept it.",
        typed(HELP_COLUMNS, integer="line_start line_end"),
        needs=(Needs.SCAN,),
        command="explain",
        details="The code is read from Git at the commit where the finding was last seen, with secrets masked. What your "
        "site says of a check, and its severity there, are in configs/checks.yaml.",
    ),
)  # fmt: skip
