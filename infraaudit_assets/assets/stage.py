"""One stage of one commit: its record in the history, and what an error means to Dagster."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from infraaudit_domain.commits import Commit
from infraaudit_domain.dagster_names import AUTHOR, SUBJECT
from infraaudit_domain.delivery.stage import StageOutcome
from infraaudit_domain.errors import ConfigurationError, InfraAuditError, excerpt
from infraaudit_domain.projects import Project
from resources.history import History

_LONGEST = 20_000
"""Characters of a reason: what a library says of a hostile input may be any text."""
_TAG = 120
RETRY = dg.RetryPolicy(max_retries=2, delay=3, backoff=dg.Backoff.EXPONENTIAL)


@dataclass
class Stage:
    """The outcome of a stage while it runs; written to the history when it ends."""

    sha: str
    history: History
    log: dg.DagsterLogManager
    outcome: StageOutcome = StageOutcome.SUCCEEDED
    reason: str = ""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def skip(self, reason: str) -> None:
        """Say that this stage does nothing for this commit, and why. As a rule the asset then yields no output."""
        self.outcome, self.reason = StageOutcome.SKIPPED, excerpt(reason, _LONGEST)
        self.log.warning("Skipped: %s", reason)

    def fail(self, reason: str) -> None:
        """Say that the stage ran and its result is bad (a failing test is a result, not an error)."""
        self.outcome, self.reason = StageOutcome.FAILED, excerpt(reason, _LONGEST)


@contextmanager
def stage(context: dg.AssetExecutionContext, project: Project, history: History) -> Iterator[Stage]:
    """Run one stage: its outcome, times and reason become a row of the history, whatever happens.

    An InfraAuditError that a retry cannot resolve becomes a Failure that Dagster does not retry.
    """
    current = Stage(context.partition_key, history, context.log)
    name = context.asset_key.path[-1]
    try:
        if project.fault:
            raise ConfigurationError(project.fault)
        yield current
    except InfraAuditError as error:
        current.fail(str(error))
        if error.retryable and context.retry_number < RETRY.max_retries:
            current.outcome = StageOutcome.RETRIED
        raise dg.Failure(str(error), allow_retries=error.retryable) from error
    except dg.Failure as failure:
        # The stage's own reason is more specific than the failure's description.
        current.fail(current.reason or str(failure.description))
        raise
    except OSError as error:
        problem = _no_room(error) or f"{type(error).__name__}: {error}"
        current.fail(problem)
        raise dg.Failure(problem, allow_retries=False) from error
    except Exception as error:
        # A defect of ours: running the same code again cannot help, and the run shows its traceback.
        current.fail(f"{type(error).__name__}: {error}")
        raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error
    except (KeyboardInterrupt, SystemExit):
        current.fail("interrupted")
        raise
    finally:
        history.record_stage(
            project.name,
            current.sha,
            name,
            current.outcome,
            current.started_at,
            datetime.now(UTC),
            context.run.run_id,
            current.reason,
        )


def name_run(context: dg.AssetExecutionContext, commit: Commit) -> None:
    """Give a run tags by which people know its commit; its partition stays the SHA."""
    tags = {SUBJECT: excerpt(commit.subject, _TAG), AUTHOR: excerpt(commit.author_name, _TAG)}
    context.instance.add_run_tags(context.run.run_id, {name: value for name, value in tags.items() if value})


def _no_room(error: OSError) -> str | None:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    return (
        f"There is no room left for {error.filename or 'what this stage writes'}: free some, then run the commit again."
    )
