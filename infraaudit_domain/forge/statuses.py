"""What the statuses of a commit say on its forge: one for each stage, decided from what the history holds.

Forges show statuses to whoever may read the repository. So a status says numbers and words of ours and what the gate
says; never what a tool, an engine or a cluster printed. Deliberately absent: sending them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from infraaudit_domain.dagster_names import image_name
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.delivery.test_plans import NO_TESTS, NoTests
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.errors import excerpt
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.projects import Project


class StatusState(StrEnum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    """The commit is bad."""
    ERROR = "error"
    """Nobody knows whether it is."""


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What one stage says of a commit."""

    context: str
    """What a forge tells statuses apart by; branch rules name it."""
    state: StatusState
    words: str
    """One line."""


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """The newest attempt to deploy a commit to an environment."""

    environment: str
    outcome: Outcome
    has_failed: bool = False
    """Whether the stage that made this attempt has ended as failed."""


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What the history holds of a commit, the newest of each kind."""

    stages: Mapping[str, StageOutcome]
    tests: TestRun | None = None
    verdict: Verdict | None = None
    """The gate's on its scan; None where it could not be judged."""
    is_judged: bool = False
    """Whether the status of its scan says already what the gate said of it, which stands."""
    open_findings: int = 0
    environments: Sequence[EnvironmentFacts] = field(default_factory=tuple)


IMAGE, TESTS, SCAN = "image", "tests", "scan"
EXPECTED = (IMAGE, TESTS, SCAN)
"""What every commit that gets a run has, unless its project is only audited."""
QUEUED = "Queued"
WAITS = "Waits"
"""How the words begin of what is pending for as long as people take."""
LONGEST_WORDS = 140
"""GitHub's limit, the lowest of all forges."""
_BUILD = "docker_image"
_PENDING, _SUCCESS, _FAILURE, _ERROR = StatusState
_Said = tuple[StatusState, str] | None
_OUTCOMES: Mapping[Outcome, tuple[StatusState, str]] = {
    Outcome.DEPLOYED: (_SUCCESS, "Deployed to {}, and healthy"),
    Outcome.UNCHANGED: (_SUCCESS, "The same release is live in {}"),
    Outcome.SUPERSEDED: (_SUCCESS, "A newer commit was deployed to {} in its place"),
    Outcome.ROLLED_BACK: (_FAILURE, "Rolled back in {}: what ran before runs again"),
    Outcome.FAILED: (_FAILURE, "Could not be deployed to {}"),
    Outcome.DEGRADED: (_FAILURE, "Failed in {}, and so did going back"),
    Outcome.WAITING: (_PENDING, WAITS + " for approvals to go to {}"),
    Outcome.FROZEN: (_PENDING, WAITS + " for the end of a freeze of {}"),
    Outcome.RUNNING: (_PENDING, "Being deployed to {}"),
    Outcome.INTERRUPTED: (_PENDING, "Interrupted on its way to {}, and tried again"),
}
_UNFINISHED = (Outcome.INTERRUPTED, Outcome.RUNNING, Outcome.WAITING, Outcome.FROZEN)


def expected_of(project: Project) -> Sequence[str]:
    """The stages of which a commit that gets a run has a status."""
    return (SCAN,) if project.audit_only else EXPECTED


def context_of(project: str, stage: str) -> str:
    """The context of a stage's status: two projects may have the same repository."""
    return f"infraaudit/{project}/{stage}"


def statuses_of(project: Project, facts: CommitFacts) -> list[CommitStatus]:
    """The statuses that the facts support; of what has not happened yet there is none."""
    decided: Mapping[str, Callable[[CommitFacts], _Said]] = {
        IMAGE: partial(_image, further=[image_name(project, one) for one in project.further_images]),
        TESTS: _without_tests if isinstance(project.tests, NoTests) else _tests,
        SCAN: _scan,
    }
    said = [(stage, decided[stage](facts)) for stage in expected_of(project)]
    said += [(f"deploy-{one.environment}", _deployment(one)) for one in facts.environments]
    return [
        CommitStatus(context_of(project.name, stage), each[0], one_line(each[1]))
        for stage, each in said
        if each is not None
    ]


def one_line(text: str, limit: int = LONGEST_WORDS) -> str:
    """Text as a status may have it: one line without control characters, its beginning kept."""
    line = " ".join(excerpt(text, 20 * limit).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def _image(facts: CommitFacts, further: Sequence[str]) -> _Said:
    """What is said of the images that the project has now; one that it had is nobody's concern."""
    outcomes = {name: facts.stages.get(name) for name in further}
    if bad := [name for name in further if outcomes[name] is StageOutcome.FAILED]:
        return _FAILURE, f"{bad[0]} could not be built"
    match facts.stages.get(_BUILD):
        case StageOutcome.SUCCEEDED if StageOutcome.RETRIED in outcomes.values():
            return _PENDING, "Tried again"
        case StageOutcome.SUCCEEDED if skipped := [n for n in further if outcomes[n] is StageOutcome.SKIPPED]:
            return _ERROR, f"{skipped[0]} was not built"
        case StageOutcome.SUCCEEDED if None in outcomes.values():
            return None
        case StageOutcome.SUCCEEDED:
            return _SUCCESS, "Built"
        case StageOutcome.FAILED:
            return _FAILURE, "The image could not be built"
        case StageOutcome.SKIPPED:
            return _ERROR, "Not built: there is nothing to build it with"
        case StageOutcome.RETRIED:
            return _PENDING, "Tried again"
        case None:
            return _unread(facts)


def _tests(facts: CommitFacts) -> _Said:
    outcome, run = facts.stages.get("test_results"), facts.tests
    if outcome is None:
        built = facts.stages.get("docker_image")
        if built in (StageOutcome.FAILED, StageOutcome.SKIPPED):
            return _ERROR, "Not run: there is no image"
        return _unread(facts)
    if outcome is StageOutcome.RETRIED:
        return _PENDING, "Tried again"
    if outcome is StageOutcome.SKIPPED or run is None:
        return _ERROR, "They gave no result"
    total = sum(run.counts.values())
    if outcome is StageOutcome.SUCCEEDED:
        return _SUCCESS, f"{run.counts['passed']} of {total} passed"
    return (_FAILURE, f"{run.bad} of {total} failed") if run.bad else (_ERROR, "They gave no result")


def _without_tests(facts: CommitFacts) -> _Said:
    """What a project says that has none; without an image as any other."""
    if facts.stages.get("test_results") is StageOutcome.SKIPPED:
        return _SUCCESS, NO_TESTS.capitalize()
    return _tests(facts)


def _scan(facts: CommitFacts) -> _Said:
    match facts.stages.get("scan_report"):
        case StageOutcome.SUCCEEDED:
            return None if facts.is_judged else _verdict(facts.verdict, facts.open_findings)
        case StageOutcome.RETRIED:
            return _PENDING, "Tried again"
        case StageOutcome.FAILED | StageOutcome.SKIPPED:
            return _ERROR, "It could not be scanned"
        case None:
            return _unread(facts)


def _verdict(verdict: Verdict | None, open_findings: int) -> tuple[StatusState, str]:
    if verdict is None:
        return _ERROR, "It was scanned, and could not be judged"
    if verdict.passed:
        return _SUCCESS, f"The gate lets it in; open findings: {open_findings}"
    # What follows a colon may be what a scanner printed.
    reason = verdict.reasons[0].partition(": ")[0]
    more = f" (and {len(verdict.reasons) - 1} more)" if len(verdict.reasons) > 1 else ""
    return _FAILURE, one_line(reason, LONGEST_WORDS - len(more)) + more


def _unread(facts: CommitFacts) -> _Said:
    """What no stage says because the commit itself could not be read."""
    failed = facts.stages.get("commit") is StageOutcome.FAILED
    return (_ERROR, "The commit could not be read") if failed else None


def _deployment(found: EnvironmentFacts) -> _Said:
    """A commit that is none of an environment, or has nowhere to go, has no status there."""
    if found.has_failed and found.outcome is Outcome.SKIPPED:
        return _FAILURE, f"Not deployed to {found.environment}: a gate stopped it"
    if found.has_failed and found.outcome in _UNFINISHED:
        return _ERROR, f"Its deployment to {found.environment} did not come to an end"
    said = _OUTCOMES.get(found.outcome)
    return (said[0], said[1].format(found.environment)) if said else None
