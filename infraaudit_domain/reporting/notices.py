"""A notice: what is reported to people, and when. Each event of the pipeline makes one, with a key of its own.

Text of a commit (subject, names, messages) is shortened and freed of control characters: its author controls it.
Deliberately absent: sending it, and finding out what happened.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.errors import excerpt
from infraaudit_domain.scans.findings import Finding, Severity

URGENCIES = ("info", "failure", "critical")
"""From least to most urgent; an address may ask for one level and those above it."""
SEVERE = (Severity.CRITICAL, Severity.HIGH)
NOT_DEPLOYED = "Not deployed:"
"""The beginning of the reason of a deployment that a gate prevented."""
STOPPED = ": not deployed"
"""The end of the title, which holds no text of a commit, of new findings for which a gate stops the commit."""
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """One message, sent once."""

    key: str
    """Identifies the notice, however often it is written; at most 255 characters."""
    project: str
    title: str
    body: str
    urgency: str = "info"
    """info, failure or critical."""
    owners: tuple[str, ...] = ()
    """Whom it concerns, of those that the project's configuration has a route for."""


EVERY_PROJECT = ""
"""The project of a notice that concerns several: it goes to the addresses of all of them."""


@dataclass(frozen=True, slots=True)
class NamedCommit:
    """A commit as a notice names it."""

    project: str
    sha: str
    subject: str = ""
    author: str = ""
    owners: tuple[str, ...] = ()
    """The owners of the files it touches, by the CODEOWNERS file; empty leaves the author alone."""
    routed: tuple[str, ...] = ()
    """Of the author and the owners, those that the project's configuration has a route for."""

    @property
    def routed_by_path(self) -> tuple[str, ...]:
        """Those with a route who own the files, whoever wrote the commit."""
        owners = {owner.casefold() for owner in self.owners}
        return tuple(one for one in self.routed if one in owners)

    @property
    def short(self) -> str:
        return self.sha[:12]

    def lines(self) -> list[str]:
        by = f"by {excerpt(self.author, 200)}" if self.author else ""
        owners = f"for {', '.join(excerpt(owner, 100) for owner in self.owners[:_NAMED])}" if self.owners else ""
        return [line for line in (excerpt(self.subject, 200), " ".join(filter(None, (by, owners)))) if line]


def stage_key(run_id: str, stage: str) -> str:
    """The key of the notice that a stage failed."""
    return f"stage:{run_id}:{stage}"


def findings_key(project: str, sha: str) -> str:
    """The key of the notice that a commit introduced severe findings."""
    return f"findings:{project}:{sha}"


def deployment_key(done: Deployment) -> str:
    """The key of the notice that a deployment failed."""
    return f"deployment:{done.project}:{done.environment}:{done.sha}:{done.started_at:%Y%m%dT%H%M%S.%f}"


def recovery_key(done: Deployment) -> str:
    """The key of the notice that a deployment ended an incident."""
    return f"{deployment_key(done)}:recovered"


def stage_failed(commit: NamedCommit, stage: str, run_id: str, reason: str, detail: str, link: str) -> Notice:
    """A stage failed, or its gate stayed closed; ``detail`` is what the first failing test says, for example."""
    what = "the tests stop" if stage == "test_results" else f"{stage} fails at"
    return Notice(
        key=stage_key(run_id, stage),
        project=commit.project,
        title=f"{commit.project}: {'the gate stops' if reason.startswith(NOT_DEPLOYED) else what} {commit.short}",
        body=body_of(commit, reason, detail, _what_to_do(commit), link=link),
        urgency="failure",
        owners=commit.routed,
    )


def run_failed(commit: NamedCommit, run_id: str, message: str, link: str) -> Notice:
    """A run failed without any of its stages having said why: it could not start, or was killed."""
    return Notice(
        key=f"run:{run_id}",
        project=commit.project,
        title=f"{commit.project}: the run of {commit.short or 'no commit'} died",
        body=body_of(commit, message or "It was ended from outside; see its log.", _what_to_do(commit), link=link),
        urgency="failure",
        owners=commit.routed,
    )


def deployment_failed(commit: NamedCommit, done: Deployment, link: str) -> Notice:
    """A deployment did not become healthy; the body says what runs now."""
    where = f"{commit.project} in {done.environment}"
    title = {
        Outcome.ROLLED_BACK: f"{where}: {commit.short} was rolled back",
        Outcome.DEGRADED: f"{where} is degraded: {commit.short} failed, and so did its rollback",
    }.get(done.outcome, f"{where}: {commit.short} could not be deployed")
    after = {
        Outcome.ROLLED_BACK: f"{done.replaced_sha[:12]} runs again." if done.replaced_sha else "",
        Outcome.DEGRADED: f"Fix it by hand: `infraaudit status --project {done.project}` shows what runs, `infraaudit "
        f"rollback --project {done.project} --environment {done.environment} --to SHA` goes back.",
    }.get(done.outcome, "")
    return Notice(
        key=deployment_key(done),
        project=commit.project,
        title=title,
        body=body_of(commit, done.reason, after, link=link),
        urgency="critical" if done.outcome is Outcome.DEGRADED else "failure",
        owners=commit.routed,
    )


def recovered(commit: NamedCommit, done: Deployment, link: str) -> Notice:
    """A deployment became healthy after something had failed."""
    return Notice(
        key=recovery_key(done),
        project=commit.project,
        title=f"{commit.project} in {done.environment} has recovered: {commit.short} is healthy",
        body=body_of(commit, done.url or "", link=link),
        owners=commit.routed,
    )


def severe_of(new: Sequence[Finding]) -> list[Finding]:
    """The findings that are notified of, the worst first."""
    return [finding for severity in SEVERE for finding in new if finding.severity is severity]


def severe_findings(
    commit: NamedCommit, new: Sequence[Finding], since: str | None = None, stopped: str = "", *, link: str
) -> Notice | None:
    """Findings of severity critical or high that a commit introduced; None where there are none.

    ``since`` is the commit that it was compared with where others lie between: any of them may have introduced them,
    so that nobody is named. ``stopped`` is why the gate stops the commit: it is reported here, and not once more.
    """
    severe = severe_of(new)
    if not severe:
        return None
    first, by = severe[0], f"with {commit.short}"
    described: NamedCommit | None = commit
    if since is not None:
        by, described = f"after {since[:12]}, by {commit.short}", None
    named = [line for finding in severe[:_NAMED] for line in _with_remedy(commit.project, finding)]
    more = f"and {len(severe) - _NAMED} more" if len(severe) > _NAMED else ""
    stop = STOPPED if stopped else ""
    return Notice(
        key=findings_key(commit.project, commit.sha),
        project=commit.project,
        title=f"{commit.project}: {len(severe)} new severe {_plural('finding', severe)} {by}{stop}",
        body=body_of(
            described, *(excerpt(line, 300) for line in named), more, stopped and f"{NOT_DEPLOYED} {stopped}", link=link
        ),
        urgency="critical" if first.severity is Severity.CRITICAL else "failure",
        owners=commit.routed if since is None else commit.routed_by_path,
    )


def _what_to_do(commit: NamedCommit) -> str:
    again = f"infraaudit run --project {commit.project} --commit {commit.short}"
    return f"Push a fix; where the commit was not at fault, run it again: {again}" if commit.sha else ""


def _with_remedy(project: str, finding: Finding) -> tuple[str, str]:
    """What was found and where, and where to read how it is fixed."""
    what = (
        f"{finding.severity.value}: {finding.check_id} {finding.check_name}, {finding.file_path}:{finding.line_start}"
    )
    command = f"infraaudit explain {finding.fingerprint[:12]} --project {project}"
    return what, " ".join(filter(None, ("  fix:", finding.guideline, f"({command})")))


def drifted(project: str, environment: str, sha: str, differences: Sequence[str]) -> Notice | None:
    """What runs is not what was deployed; the same differences from one commit are reported once. None where there
    are none."""
    if not differences:
        return None
    digest = hashlib.sha256("\n".join(sorted(differences)).encode()).hexdigest()[:16]
    more = f"and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
    return Notice(
        key=f"drift:{project}:{environment}:{sha[:12]}:{digest}",
        project=project,
        title=f"{project} in {environment} has drifted: {len(differences)} {_plural('field', differences)} changed",
        body=body_of(
            None,
            f"deployed: {sha[:12]}",
            *(excerpt(line, 300) for line in differences[:_NAMED]),
            more,
            link=f"infraaudit status --project {project}",
        ),
        urgency="failure",
    )


def body_of(commit: NamedCommit | None, *what: str, link: str) -> str:
    """The lines of a notice: the commit that it is about, what happened, and where to read on."""
    said = [excerpt(text, 1500) for text in what if text]
    return "\n".join([*(commit.lines() if commit else ()), *said, *([link] if link else ())])


def _plural(word: str, things: Sequence[object]) -> str:
    return word if len(things) == 1 else f"{word}s"
