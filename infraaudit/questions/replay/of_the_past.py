"""Questions that play the past again."""

from infraaudit.questions.parameters import (
    ANY,
    ANY_ENVIRONMENT,
    ENVIRONMENT,
    SEVERITIES,
    SINCE,
    document,
    moment_or_commit,
    one_of,
    text,
)
from infraaudit.questions.question import Needs, Question, typed
from infraaudit_domain.judging.gate_replay import Replayed

_OF = "/projects/{project}"
_AT = {
    "when": moment_or_commit(
        "A time such as 2026-03-01T14:03 (in UTC unless it names a zone), a day (its end), or a commit (its time); now by"
        " default."
    ),
    "environment": ANY_ENVIRONMENT,
}
_WHERE = ("environment", "commit")
_FINDING_SHOWN = "environment severity check_id file_path line_start resource status age_days introduced_by author id"

_EXPOSED = {
    "check": text("The check, for example CKV_AWS_24."),
    "environment": ANY_ENVIRONMENT,
}

QUESTIONS: tuple[Question, ...] = (
    Question(
        "at",
        f"{_OF}/at",
        "What was live at a moment: since when, brought by whom, with which findings, gaps and gate.",
        typed(
            (
                "environment", "at", "state", "sha", "subject", "author", "live_from", "live_to", "hours_live",
                "deployed_by", "run_id", "replaced", "brought", "authors", "under_way", "doubt", "scan", "scanned_at",
                "open", *SEVERITIES, "not_read", "hidden_in_code", "accepted", "suppressions", "gaps",
                "accepted_gaps", "gate", "gate_reason",
            ),
            integer=f"brought open not_read hidden_in_code accepted suppressions gaps accepted_gaps"
            f" {' '.join(SEVERITIES)}",
            number="hours_live",
            live_from="live since (UTC)", scanned_at="scanned (UTC)", replaced="in place of", hours_live="hours so far",
        ),
        _AT,
        needs=(Needs.DEPLOYMENT,),
        command="at",
        of="environments",
        positional=("when",),
        shown="environment state sha live_from open critical high gaps gate deployed_by author subject hours_live"
        " hidden_in_code accepted suppressions scan doubt under_way",
        details="With --of findings, suppressions or gaps: each of them. Findings are those that are known today of the"
        " commit that was live; scanned_at says since when. Suppressions, accepted gaps and the gate are those of the"
        " configuration of now, as they count on that day. Deployed_by is pipeline (with its run) or by hand.",
    ),
    Question(
        "at_findings",
        f"{_OF}/at/findings",
        "The findings of what was live at a moment, with their ages and states of then.",
        typed(
            (
                *_WHERE, "id", "severity", "framework", "check_id", "check_name", "file_path", "line_start", "line_end",
                "resource", "status", "hidden_by", "suppression_reason", "introduced_by", "introduced_after",
                "introduced_certainty", "introduced_at", "author", "age_days", "age_days_at_most", "last_read",
            ),
            integer="line_start line_end",
            number="age_days age_days_at_most",
        ),
        _AT,
        needs=(Needs.DEPLOYMENT,),
        command="at",
        of="findings",
        shown=_FINDING_SHOWN,
    ),
    Question(
        "at_suppressions",
        f"{_OF}/at/suppressions",
        "What hid findings at a moment: comments in the code that was live, and entries of the project's file.",
        typed(
            (
                *_WHERE, "source", "severity", "check_id", "file_path", "resource", "id", "reason", "owner", "since",
                "until", "findings",
            ),
            integer="findings",
        ),
        _AT,
        needs=(Needs.DEPLOYMENT,),
        command="at",
        of="suppressions",
        shown="environment source findings check_id owner until reason file_path resource since severity",
    ),
    Question(
        "at_gaps",
        f"{_OF}/at/gaps",
        "What the scan of the commit that was live at a moment did not read.",
        typed((*_WHERE, "framework", "file_path", "reason", "files", "accepted"), integer="files", boolean="accepted"),
        _AT,
        needs=(Needs.DEPLOYMENT,),
        command="at",
        of="gaps",
        shown="environment framework file_path files reason accepted",
    ),
    Question(
        "gate_replay",
        f"{_OF}/gate/replay",
        "Which past deployments another gate would have stopped, and which exposures that would have saved.",
        typed(
            (
                "environment", "finished_at", "sha", "subject", "author", "outcome", "verdict", "for_nothing", "hours",
                "saved", *(f"saved_{name}" for name in SEVERITIES), "added", "instead", "reasons",
            ),
            number=f"hours saved added {' '.join(f'saved_{name}' for name in SEVERITIES)}",
            boolean="for_nothing",
            finished_at="deployed (UTC)", saved="finding-hours saved", added="finding-hours added",
            hours="hours live", instead="instead of it", reasons="why",
        ),
        {
            "gate": document("The gate to play, as gate.yaml has it; by default the gate of now."),
            "since": SINCE | {"description": "Deployments before this day, in UTC, go as they went."},
            "environment": ENVIRONMENT,
            "verdict": one_of(
                (*(one.value for one in Replayed), ANY), "Only deployments with this verdict.", Replayed.STOPPED.value
            ),
        },
        needs=(Needs.HEALTHY_DEPLOYMENT, Needs.SCAN),
        command="gate replay",
        shown="finished_at sha verdict saved added for_nothing saved_critical saved_high hours instead subject reasons"
        " outcome",
        details="A deployment that is stopped never becomes live: what was let through before stays until the next one"
        " that is let through. Saved are the finding-hours of findings that were live then and would not have been, added"
        " those of findings that would have stayed. It was stopped for nothing where nothing was saved. A rollback to"
        " what was healthy before is not judged, as no gate judges it.",
    ),
    Question(
        "exposed",
        f"{_OF}/exposed",
        "Whether a check's findings were ever live: where, since when until when, brought by whom.",
        typed(
            (
                "environment", "state", "id", "severity", "check_id", "file_path", "resource", "live_from", "live_to", "live_now",
                "hours_exposed", "introduced_by", "introduced_after", "introduced_certainty", "introduced_at", "author",
                "fixed_by", "fixed_certainty", "fixed_at", "brought_back_by", "commit", "reason",
            ),
            number="hours_exposed",
            boolean="live_now",
        ),
        _EXPOSED,
        needs=(Needs.HEALTHY_DEPLOYMENT,),
        command="exposed",
        of="findings",
        shown="environment state hours_exposed live_now live_from live_to file_path resource introduced_by"
        " introduced_certainty introduced_after author severity reason commit id",
        details="With --of commits: each commit that was live, whether it was exposed, and which targets of a rollback are"
        " unsafe. What was live and was not scanned by the scanner of now is scanned first, what is live before all and"
        " then the longest live; nothing else, and nothing is stored. Parts that no scan could read are unknown, and"
        " never taken for safe; nor is what a commit hid itself, by a comment or in its own Checkov file.",
    ),
    Question(
        "exposed_commits",
        f"{_OF}/exposed/commits",
        "Each commit that was live: whether it was exposed to a check, and whether going back to it is safe.",
        typed(
            (
                "environment", "sha", "subject", "author", "live_from", "live_to", "live_now", "hours", "exposed",
                "findings", "hidden", "rollback", "reason",
            ),
            integer="findings hidden",
            number="hours",
            boolean="live_now",
            rollback="going back to it",
        ),
        _EXPOSED,
        needs=(Needs.HEALTHY_DEPLOYMENT,),
        command="exposed",
        of="commits",
        shown="environment sha exposed findings hidden rollback live_from live_to hours reason subject author",
    ),
    Question(
        "least_exposure",
        f"{_OF}/least-exposure",
        "The commits to go back to, by the finding-hours that each would return and avoid; what exposes least first.",
        typed(
            (
                "environment", "live", "sha", "subject", "author", "advised", "hours", "returned", "avoided",
                "findings_returning", "findings_leaving", *(f"returned_{name}" for name in SEVERITIES),
                *(f"avoided_{name}" for name in SEVERITIES), "hours_live", "outcomes", "against",
            ),
            integer="findings_returning findings_leaving",
            number="hours returned avoided hours_live"
            f" {' '.join(f'{word}_{name}' for word in ('returned', 'avoided') for name in SEVERITIES)}",
            boolean="advised",
            hours="hours ahead", returned="finding-hours returned", avoided="finding-hours avoided",
            findings_returning="would return", findings_leaving="would leave", against="against it",
        ),
        {
            "environment": ENVIRONMENT,
            "hours": {
                "type": "number", "minimum": 1, "maximum": 8760, "default": 24,
                "description": "How long the commit would stay live, in hours.",
            },
        },
        needs=(Needs.HEALTHY_DEPLOYMENT,),
        command="least-exposure",
        shown="sha returned avoided advised findings_returning findings_leaving returned_critical returned_high"
        " avoided_critical avoided_high against hours_live subject",
        details="A finding-hour is an hour with an open finding. Worse severities decide first. A commit of which it is"
        " not known what would return comes last. Advised is the commit that `rollback --advise` names.",
        panel="Deliver",
    ),
)  # fmt: skip
