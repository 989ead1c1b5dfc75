"""The answer to "gate replay": what another gate would have done to the deployments of an environment."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from infraaudit.questions.asked import Asked, Page, Row
from infraaudit.questions.parameters import ANY
from infraaudit.questions.replay.past_judge import PastJudge
from infraaudit_domain.delivery.deployments import TRIED, Deployment
from infraaudit_domain.judging.gate import GatePolicy
from infraaudit_domain.judging.gate_replay import Played, Replayed, replay
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.scans.findings import Severity
from resources.configuration.gate import parse_gate
from resources.history.deployments import deployments
from resources.history.queries.frames import commits_named

_LONGEST = 1000
GIVEN = "the gate that was given"


def gate_replay(asked: Asked) -> Page:
    """The deployments that the gate would have stopped, newest first, or those with the verdict that is asked for."""
    return asked.cut(replayed_rows(asked, play(asked, policy_of(asked)), asked.text("verdict") or Replayed.STOPPED))


def replayed_rows(asked: Asked, played: Sequence[Played], verdict: str) -> list[Row]:
    """The deployments of a replay that have a verdict, or any, newest first."""
    shown = [one for one in reversed(played) if verdict in (ANY, one.verdict)]
    named = commits_named(asked.history, asked.project, {one.deployment.sha for one in shown})
    return [_row(one, named.get(one.deployment.sha)) for one in shown]


def policy_of(asked: Asked) -> GatePolicy:
    """The gate that is given, else that of now. Raises ConfigurationError with every fault of what is given."""
    text = asked.text("gate")
    return parse_gate(text, GIVEN) if text.strip() else asked.rules.gate


def play(asked: Asked, policy: GatePolicy) -> list[Played]:
    """Every deployment that was tried, oldest first, under a policy."""
    attempts = deployments(asked.history, asked.project, asked.environment())[::-1]
    tried = {one.sha for one in attempts if one.outcome in TRIED}
    judge = PastJudge(asked.line, policy, asked.rules, tried, asked.now.date())

    def judged(one: Deployment, live: str | None) -> Verdict | None:
        return judge.verdict(one.sha, live, one.started_at)

    positions = asked.line.positions()
    return replay(attempts, positions, judged, judge.standing, asked.now, asked.moment("since"))


def totals(played: list[Played]) -> dict[str, Any]:
    """What a replay comes to, over all deployments."""
    stopped = [one for one in played if one.verdict is Replayed.STOPPED]
    saved, added = Counter[Severity](), Counter[Severity]()
    for one in stopped:
        saved.update(one.saved or {})
        added.update(one.added or {})
    return {
        "judged": sum(one.verdict in (Replayed.STOPPED, Replayed.PASSED) for one in played),
        "stopped": len(stopped),
        "for_nothing": sum(one.for_nothing for one in stopped),
        "not_known": sum(one.saved is None for one in stopped),
        "saved": saved,
        "added": added,
    }


def _row(one: Played, commit: sa.RowMapping | None) -> Row:
    done, is_stopped = one.deployment, one.verdict is Replayed.STOPPED
    known = is_stopped and one.saved is not None
    return {
        "environment": done.environment,
        "finished_at": done.finished_at.isoformat(),
        "sha": done.sha,
        "subject": commit["subject"] if commit else None,
        "author": commit["author_name"] if commit else None,
        "outcome": done.outcome.value,
        "verdict": one.verdict.value,
        "for_nothing": one.for_nothing if known else None,
        "instead": one.instead,
        "hours": round(one.hours, 2) if is_stopped else None,
        "saved": _rounded(one.saved) if known else None,
        "added": _rounded(one.added) if known else None,
        "reasons": "; ".join(one.reasons)[:_LONGEST] or None,
    } | {f"saved_{severity.value}": round(float(one.saved[severity]), 2) if one.saved is not None and known else None
         for severity in Severity}  # fmt: skip


def _rounded(hours: Counter[Severity] | None) -> float:
    return round(float(sum((hours or {}).values())), 2)
