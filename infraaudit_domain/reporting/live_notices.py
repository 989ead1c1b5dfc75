"""Notices of what waits to be deployed, and of what is live and would not be let through today.

Deliberately absent: what became of a deployment (notices.py).
"""

from infraaudit_domain.delivery.deployments import Deployment
from infraaudit_domain.judging.live import LiveJudgement
from infraaudit_domain.reporting.notices import NamedCommit, Notice, body_of


def waiting_key(done: Deployment) -> str:
    """The key of the notice that a commit waits for approvals."""
    return f"waiting:{done.project}:{done.environment}:{done.sha}"


def waits(commit: NamedCommit, done: Deployment, link: str) -> Notice:
    """A commit waits for approvals; reported once for each environment."""
    return Notice(
        key=waiting_key(done),
        project=commit.project,
        title=f"{commit.project} in {done.environment}: {commit.short} waits for approval",
        body=body_of(commit, done.reason, link=link),
        owners=commit.routed,
    )


def passes_no_longer(judgement: LiveJudgement) -> Notice:
    """What is live would not be let in today; reported once for each cause."""
    where = f"{judgement.project} in {judgement.environment}"
    return Notice(
        key=f"live:{judgement.project}:{judgement.environment}:{judgement.sha[:12]}:{judgement.cause}",
        project=judgement.project,
        title=f"{where}: {judgement.sha[:12]} is live and would not be let in today",
        body=body_of(
            None,
            *judgement.verdict.reasons[:5],
            "It stays live until somebody deploys another commit.",
            link=f"infraaudit rollback --project {judgement.project} --advise",
        ),
        urgency="failure",
    )
