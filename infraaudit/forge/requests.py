"""Take in what a forge says of a pull or merge request, let a fork's head be read, and show on the head what it waits for.

Deliberately absent: starting runs (sensors/requests.py).
"""

from infraaudit_domain.errors import ConfigurationError, NotThereError
from infraaudit_domain.forge.change_requests import ChangeRequest, RequestState, Step, next_step
from infraaudit_domain.forge.request_verdicts import CONTEXT, status_of_all
from infraaudit_domain.forge.statuses import QUEUED, SCAN, WAITS, CommitStatus, StatusState, context_of, expected_of
from infraaudit_domain.projects import Project
from resources.history import History
from resources.history.forge.change_requests import allow_head, known_request, requests_of_head, store_request
from resources.history.forge.expected import end_expected, expect_statuses
from resources.history.forge.statuses import commits_shown, statuses_of_commit, want_statuses

_SHORTENED = 12
"""Digits of the SHAs that Bitbucket Cloud sends."""


def take_request(history: History, project: Project, seen: ChangeRequest) -> bool:
    """Store what a forge says of a request to a project that takes them; returns whether that is news."""
    if not store_request(history, project.name, seen):
        return False
    show_verdict(history, project, seen.head)
    if seen.state is RequestState.CLOSED:
        _end(history, project, seen)
    elif len(seen.head) > _SHORTENED:
        known = known_request(history, project.name, seen.number)
        show_step(history, project, seen.head, next_step(seen, known.allowed_head, known.started_head))
    return True


def show_verdict(history: History, project: Project, head: str) -> None:
    """Have what is shown of a head's verdict be that of its open requests: one may be new, or have another target."""
    for sha in commits_shown(history, project.name, head, context_of(project.name, CONTEXT)):
        if open_ones := requests_of_head(history, project.name, sha):
            shown = status_of_all(project.name, [one.found for one in open_ones])
            want_statuses(history, project.name, sha, [shown])


def takes_requests(project: Project) -> bool:
    return project.forge is not None and project.forge.requests and not project.fault


def show_step(history: History, project: Project, head: str, step: Step) -> None:
    """Have the forge shown what is going to happen with a head."""
    match step:
        case Step.RUN:
            expect_statuses(history, project.name, [head], expected_of(project))
        case Step.SCAN if _speaks_for(history, project, head):
            want_statuses(history, project.name, head, [_scan(project, QUEUED)])
        case Step.WAIT if _speaks_for(history, project, head):
            words = f"{WAITS} for a member who lets the head of this fork be read"
            want_statuses(history, project.name, head, [_scan(project, words)])
        case _:
            return


def _end(history: History, project: Project, closed: ChangeRequest) -> None:
    """Take back what is shown to come of a head that no open request has any more."""
    words = "Not run: its request was closed"
    if requests_of_head(history, project.name, closed.head):
        return
    if not closed.is_fork:
        end_expected(history, project.name, closed.head, words)
    elif (said := _scan_status(history, project, closed.head)) and said.words.startswith(WAITS):
        want_statuses(history, project.name, closed.head, [CommitStatus(said.context, StatusState.ERROR, words)])


def _speaks_for(history: History, project: Project, head: str) -> bool:
    """Whether a fork's request may say something of a commit: nothing else has been said of its scan. The head of a
    stranger's request may be a commit of ours."""
    said = _scan_status(history, project, head)
    return said is None or said.words.startswith(WAITS)


def _scan_status(history: History, project: Project, head: str) -> CommitStatus | None:
    context = context_of(project.name, SCAN)
    return next((one for one in statuses_of_commit(history, project.name, head) if one.context == context), None)


def allow(history: History, project: Project, number: int, head: str, by: str) -> None:
    """Let one head of a fork be scanned, and no later one. Raises NotThereError, ConfigurationError."""
    if not takes_requests(project):
        raise ConfigurationError(f"{project.name} takes no requests; set requests: true below forge: of its entry.")
    request = known_request(history, project.name, number).request
    if not request.is_fork:
        raise ConfigurationError(f"Request {number} comes from {project.name}'s own repository and waits for nobody.")
    if not allow_head(history, project.name, number, head, by):
        raise NotThereError(
            f"Request {number} of {project.name} is {request.state.value}, and its head is {request.head}, not {head}: "
            "look at that one, and give its SHA."
        )
    show_step(history, project, head, Step.SCAN)


def _scan(project: Project, words: str) -> CommitStatus:
    return CommitStatus(context_of(project.name, SCAN), StatusState.PENDING, words)
