"""What became of a commit, in one sentence and one word, the same on every page.

Deliberately absent: the outcomes of single deployments, which a page lists below.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.errors import excerpt
from infraaudit_domain.reporting.notices import NOT_DEPLOYED

_NAMES = {"test_results": "its tests", "deployment": "the gate", "docker_image": "the build of its image"}
_LONGEST = 400
STOPPED, FAILED = "stopped", "failed"


@dataclass(frozen=True, slots=True)
class CommitVerdict:
    word: str
    """An outcome of a deployment; or stopped (by a gate), failed (before there was a deployment), scanned, unknown."""
    sentence: str
    is_bad: bool = False


def word_of(row: Mapping[str, Any]) -> str:
    """One word for what became of a commit of a list; empty where nothing was tried."""
    tried = row["deployment"]
    if tried in (None, Outcome.SKIPPED) and row["stopped_by"]:
        return STOPPED if _is_gate(row) else FAILED
    return tried or ""


def verdict_of(
    commit: Mapping[str, Any], stages: Sequence[Mapping[str, Any]], live_in: Sequence[str] = ()
) -> CommitVerdict:
    """The verdict of a commit's page; ``live_in`` are the environments where it is live now."""
    word, where = word_of(commit), commit["environment"] or "its environment"
    why = _reason(commit, stages)
    match word:
        case "stopped":
            return CommitVerdict(word, f"Stopped by {_name(commit['stopped_by'])}{why}", True)
        case "failed" if commit["deployment"] in (None, Outcome.SKIPPED):
            return CommitVerdict(word, f"Failed in {_name(commit['stopped_by'])}{why}", True)
        case Outcome.RUNNING:
            return CommitVerdict(word, f"It is being deployed to {where}.")
        case Outcome.WAITING | Outcome.FROZEN:
            return CommitVerdict(word, f"Not deployed to {where} yet{why}")
        case Outcome.INTERRUPTED:
            return CommitVerdict(word, f"Its deployment to {where} was interrupted, and is tried again{why}", True)
        case Outcome.DEPLOYED | Outcome.UNCHANGED:
            now = f"live in {' and '.join(live_in)}" if live_in else "replaced since"
            return CommitVerdict(word, f"Deployed to {where}, and {now}.")
        case Outcome.ROLLED_BACK:
            return CommitVerdict(word, f"Rolled back in {where}: what ran before runs again{why}", True)
        case Outcome.FAILED | Outcome.DEGRADED:
            state = "could not be deployed" if word == Outcome.FAILED else "failed, and so did going back"
            return CommitVerdict(word, f"In {where} it {state}{why}", True)
        case Outcome.SUPERSEDED:
            return CommitVerdict(word, f"Superseded: a newer commit was deployed to {where} in its place.")
        case Outcome.SKIPPED:
            return CommitVerdict(word, f"Not deployed to {where}{why}")
        case _:
            return _not_deployed(commit)


def _not_deployed(commit: Mapping[str, Any]) -> CommitVerdict:
    if commit["scan"] is None and not commit["run_id"]:
        return CommitVerdict("unknown", "Nothing was done with it yet: it was neither scanned nor built.")
    if commit["scan"] is None:
        return CommitVerdict("unknown", "Not scanned yet, and not deployed.")
    if commit["scan"] == "failed":
        return CommitVerdict("unknown", "Its scan failed, and it was not deployed.", True)
    return CommitVerdict("scanned", "Scanned, and not deployed.")


def _is_gate(row: Mapping[str, Any]) -> bool:
    """Whether what ended a commit's run was a verdict on it, and no defect of a stage."""
    if row["stopped_by"] == "test_results":
        return row["passed"] is not None
    return str(row["stopped_by"]).startswith("deployment") and row["deployment"] == Outcome.SKIPPED


def _name(stage: str | None) -> str:
    return _NAMES.get(stage or "", (stage or "").replace("_", " "))


def _reason(commit: Mapping[str, Any], stages: Sequence[Mapping[str, Any]]) -> str:
    """ ": why", or a full stop where nothing is said."""
    of_stage = [each["reason"] for each in stages if each["stage"] == commit["stopped_by"] and each["reason"]]
    said = next(iter(of_stage[::-1]), None) or commit["deployment_reason"] or ""
    text = excerpt(said.removeprefix(NOT_DEPLOYED).split("\n")[0].strip(), _LONGEST)
    return f": {text}" if text else "."
