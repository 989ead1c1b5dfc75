"""Judge the head of a request against the merge base with its target branch, once its stages have ended.

Deliberately absent: starting those stages (sensors/requests.py), and what the gate's answer means
(infraaudit_domain/forge/request_verdicts.py).
"""

from datetime import datetime
from pathlib import Path

from infraaudit.forge.facts import stage_outcomes
from infraaudit.forge.requests import show_verdict
from infraaudit.gate import JudgedRequest, judge_request
from infraaudit_domain.dagster_names import image_name
from infraaudit_domain.errors import ConfigurationError, InfraAuditError
from infraaudit_domain.forge.change_requests import ChangeRequest
from infraaudit_domain.forge.comments import comment_of
from infraaudit_domain.forge.request_verdicts import RequestVerdict, have_ended, result_of, status_of_all
from infraaudit_domain.projects import Project
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.forge.change_requests import record_verdict, requests_of_head
from resources.history.forge.comments import want_comment
from resources.history.forge.statuses import want_statuses


def judge_head(
    history: History,
    mirror: Mirror,
    project: Project,
    request: ChangeRequest,
    sha: str,
    gate_file: Path,
    now: datetime,
    is_over: bool = False,
) -> RequestVerdict | None:
    """Record and show what is found of a request's head, whose full SHA is given; None until its stages have ended.

    ``is_over`` is whether no run of it goes on: what it left out is not waited for. Raises what may be otherwise at the next look:
    ConfigurationError, and errors that are retryable.
    """
    stages, images = stage_outcomes(history, project.name, sha), images_of(project, request)
    if not is_over and not have_ended(stages, images):
        return None
    tests = history.test_run(project.name, sha) if images else None
    try:
        tip = mirror.branches().get(request.target_branch)
        base = mirror.merge_base(tip, sha) if tip else None
        judged = judge_request(history, mirror, project, sha, base or "", gate_file, now)
    except InfraAuditError as error:
        if error.retryable or type(error) is ConfigurationError:  # The site's own file is right again some time.
            raise
        judged = None
    against = (judged.against if judged else None) or ""
    verdict = judged.verdict if judged else None
    result, reason = result_of(stages, images, tests, verdict, against, project.tests)
    found = RequestVerdict(against, result, reason)
    if judged and against:
        new = len(judged.changes.new) + len(judged.changes.perhaps_new)
        found = RequestVerdict(against, result, reason, new, len(judged.changes.fixed), judged.not_live)
    others = [one.found for one in requests_of_head(history, project.name, sha) if one.request.number != request.number]
    want_statuses(history, project.name, sha, [status_of_all(project.name, [found, *others])])
    if project.forge and project.forge.comments:
        want_comment(history, project.name, request.number, _comment(project, sha, found, judged))
    if not record_verdict(history, project.name, request, found):
        show_verdict(history, project, sha)
    return found


def _comment(project: Project, sha: str, found: RequestVerdict, judged: JudgedRequest | None) -> str:
    # Without a commit to compare with, all findings would be new.
    if judged is None or not found.base:
        return comment_of(project.name, sha, found)
    changes = judged.changes
    return comment_of(project.name, sha, found, (*changes.new, *changes.perhaps_new), changes.fixed)


def images_of(project: Project, request: ChangeRequest) -> list[str]:
    """The stages that build a head; none of one that is only scanned, which is not tested either."""
    if request.is_fork or project.audit_only:
        return []
    return [image_name(project, source) for source in (project.first_image, *project.further_images)]
