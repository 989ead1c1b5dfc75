"""Questions to what people decided of findings, and to who did what."""

from infraaudit.questions.parameters import SINCE, one_of, text
from infraaudit.questions.question import Question, typed
from infraaudit_domain.judging.audit_log import Act
from infraaudit_domain.judging.triage import Action, State

_OF = "/projects/{project}"

QUESTIONS: tuple[Question, ...] = (
    Question(
        "triage",
        f"{_OF}/triage",
        "What people decided of findings: accepted, false positive, assigned; by whom, until when, and what became of it.",
        typed(
            (
                "at", "action", "state", "severity", "id", "check_id", "file_path", "resource", "owner", "reason", "until",
                "days_left", "by", "imported_by", "imported_at", "via", "address", "commit", "ended_at", "ended_by",
            ),
            integer="days_left", owner="owner",
        ),
        {
            "state": one_of(State, "Only decisions in this state."),
            "action": one_of([each for each in Action if each is not Action.UNDO], "Only this kind of decision."),
            "finding": {
                "type": "string", "pattern": "^[0-9a-f]{0,32}$",
                "description": "The beginning of a finding's id; by default every finding.",
            },
            "within": {
                "type": "integer", "minimum": 0, "maximum": 3650, "default": 0,
                "description": "Only what stands and runs out within these days; 0 is everything.",
            },
        },
        command="triage list",
        shown="at action state id check_id owner until by imported_by reason file_path resource",
        needs_git=False,
    ),
    Question(
        "audit_log",
        f"{_OF}/audit-log",
        "Who did what, when and from where, newest first: triage, approvals, rejections, runs, and what a project was given.",
        typed(("at", "actor", "via", "address", "act", "subject", "details", "project"), actor="who"),
        {
            "act": one_of(Act, "Only this."),
            "actor": text("Only what this person or program did."),
            "since": SINCE,
        },
        command="audit-log",
        shown="at actor via act subject details address",
        details="Nobody can change a line, also not in the database; `infraaudit prune --audit-log-days` deletes the oldest.",
        needs_git=False,
    ),
)  # fmt: skip
