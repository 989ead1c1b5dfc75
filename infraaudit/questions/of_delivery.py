"""Questions to what the pipeline did with commits."""

from dataclasses import fields

from infraaudit.questions.parameters import ANY_ENVIRONMENT, COMMIT, OUTCOME, one_of, revision, text
from infraaudit.questions.question import Needs, Question, typed
from infraaudit_domain.delivery.dora import Dora
from infraaudit_domain.forge.change_requests import RequestState

_DELIVER = "Deliver"
_OF = "/projects/{project}"

QUESTIONS: tuple[Question, ...] = (
    Question("projects", "/projects", "Every project.", typed(("name",)), command="projects list", needs=(Needs.PROJECT,)),
    Question(
        "commits",
        f"{_OF}/commits",
        "Commits of the deploy branch, newest first, with what the pipeline did to each.",
        typed(
            (
                "sha", "subject", "author", "committed_at", "image", "size_bytes", "build_seconds", "reused_from",
                "passed", "failed", "errors", "skipped", "scan", "open", "introduced", "fixed", "reopened", "suppressed",
                "deployment", "environment", "deployment_reason", "stopped_by", "run_id",
            ),
            integer="size_bytes passed failed errors skipped open introduced fixed reopened suppressed",
            number="build_seconds",
            introduced="new",
        ),
        {"q": text("Only where this is part of the subject, the author or the SHA."), "outcome": OUTCOME},
        needs=(Needs.COMMIT,),
        command="commits",
        shown="sha subject committed_at image passed failed open introduced fixed deployment run_id",
    ),
    Question(
        "stages",
        f"{_OF}/stages",
        "Stages that ran for one commit.",
        typed(
            ("commit", "stage", "outcome", "started_at", "finished_at", "seconds", "run_id", "reason"),
            number="seconds",
        ),
        {"commit": COMMIT},
        needs=(Needs.RUN,),
        command="stages",
        shown="stage outcome finished_at seconds run_id reason",
        panel=_DELIVER,
    ),
    Question(
        "tests",
        f"{_OF}/tests",
        "Test cases of one commit; those that did not pass come first.",
        typed(("commit", "name", "outcome", "seconds", "message"), number="seconds", name="test"),
        {"commit": COMMIT},
        needs=(Needs.TESTS,),
        command="tests",
        shown="name outcome seconds message",
        panel=_DELIVER,
    ),
    Question(
        "deployments",
        f"{_OF}/deployments",
        "Deployments that were tried or skipped, newest first.",
        typed(
            (
                "environment", "sha", "subject", "author", "outcome", "started_at", "finished_at", "target", "image",
                "replaced_sha", "reason",
            )
        ),
        {"environment": ANY_ENVIRONMENT, "outcome": OUTCOME},
        needs=(Needs.ATTEMPT,),
        none_is_an_answer=True,
        command="deployments",
        shown="finished_at environment sha outcome replaced_sha subject reason",
        needs_git=False,
        panel=_DELIVER,
    ),
    Question(
        "rejections",
        f"{_OF}/rejections",
        "Commits that were rejected for good, newest first, those that were taken back included.",
        typed(
            (
                "sha", "reason", "rejected_by", "rejected_at", "taken_back_by", "taken_back_at", "taken_back_reason",
            )
        ),
        command="rejections",
        needs_git=False,
        panel=_DELIVER,
    ),
    Question(
        "approvals",
        f"{_OF}/approvals",
        "Who let which commit into an environment, or into a frozen one, newest first; what was taken back included.",
        typed(
            (
                "environment", "sha", "subject", "author", "leave", "approved_by", "reason", "approved_at",
                "taken_back_by", "taken_back_at", "taken_back_reason",
            ),
            leave="what", approved_by="by",
        ),
        {"environment": ANY_ENVIRONMENT, "commit": revision("Only this commit.")},
        command="approvals",
        shown="approved_at environment sha leave approved_by reason taken_back_at subject",
        needs_git=False,
        panel=_DELIVER,
    ),
    Question(
        "requests",
        f"{_OF}/requests",
        "Pull and merge requests, newest first, with what was found of their heads.",
        typed(
            (
                "number", "title", "author", "state", "head", "source_repository", "source_branch", "target_branch",
                "is_fork", "allowed_by", "changed_at", "base", "verdict", "reason", "new", "fixed", "not_live",
            ),
            integer="number new fixed not_live",
            boolean="is_fork",
            is_fork="fork", not_live="would go live", changed_at="changed (UTC)", target_branch="onto",
        ),
        {"state": one_of(RequestState, "Only requests in this state.")},
        command="requests",
        shown="number state head verdict new fixed not_live is_fork author target_branch title reason",
        details="Against the merge base with the target branch: new and fixed findings. Would go live: open findings "
        "that stand in nothing that is live. A verdict is of the head that is shown: passes, fails, unknown, pending, or "
        "waits, for a member who lets a fork's head be read (infraaudit forge allow).",
        needs_git=False,
        needs=(Needs.REQUEST,),
        panel=_DELIVER,
    ),
    Question(
        "measurements",
        f"{_OF}/measurements",
        "What releases were measured by before they counted as deployed, newest first.",
        typed(
            ("environment", "sha", "started_at", "name", "value", "limits", "passed", "query", "why"),
            number="value", boolean="passed", name="measured", value="worst",
        ),
        {"environment": ANY_ENVIRONMENT, "commit": revision("Only this commit.")},
        command="measurements",
        shown="started_at environment sha name value limits passed why",
        needs_git=False,
        needs=(Needs.DEPLOYMENT,),
        panel=_DELIVER,
    ),
    Question(
        "dora",
        f"{_OF}/dora",
        "Deployment frequency, lead time, change failure rate and time to restore, for each environment.",
        typed(
            ("environment", *(each.name for each in fields(Dora))),
            integer="attempts deployed",
            number="days per_day lead_seconds failure_ratio restore_seconds",
            boolean="incident_open",
        ),
        {
            "environment": ANY_ENVIRONMENT,
            "days": {
                "type": "number", "minimum": 1, "maximum": 3650, "default": 30,
                "description": "Length of the window that ends now, in days.",
            },
        },
        needs=(Needs.DEPLOYMENT,),
        command="dora",
        details="An attempt is a deployment that was deployed, rolled back, failed or degraded; skipped and superseded "
        "ones do not count. Lead time: from a commit to the healthy deployment that first brought it, median over every "
        "commit. Time to restore: from a failed attempt to the next healthy one, median.",
        needs_git=False,
        panel=_DELIVER,
    ),
    Question(
        "log_counts",
        f"{_OF}/log-counts",
        "How many lines deployed commits printed, by day and level, newest day first.",
        typed(("environment", "day", "commit", "level", "lines"), integer="lines"),
        {"environment": ANY_ENVIRONMENT, "commit": revision("Only this commit.")},
        needs=(Needs.DEPLOYMENT,),
        command="log-counts",
        needs_git=False,
        panel=_DELIVER,
    ),
)  # fmt: skip
