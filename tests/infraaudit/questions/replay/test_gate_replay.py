"""Gate replay against the gate itself, deployment by deployment, and against a look at every single hour."""

import json
import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from infraaudit.gate import judge_commit
from infraaudit.questions.asked import ProjectRules
from infraaudit.questions.replay.gate_replay import play
from infraaudit_domain.delivery.deployments import TRIED, Outcome
from infraaudit_domain.judging.gate_replay import Played, Replayed
from infraaudit_domain.judging.verdicts import Verdict
from infraaudit_domain.scans.findings import Severity
from resources.configuration.gate import read_gate
from resources.configuration.suppressions import read_accepted
from resources.history.store import History
from tests.infraaudit.questions.replay.random_pasts import (
    PROJECT,
    WHOLE,
    Attempt,
    Mirror,
    Past,
    asked,
    at,
    pasts,
    record,
    recorded,
)
from tests.sizes import examples

LIMITS = st.dictionaries(st.sampled_from(["critical", "high", "low", "unknown"]), st.integers(0, 2), max_size=2)
SOME = st.dictionaries(st.sampled_from(["critical", "high", "low"]), st.integers(0, 1), min_size=1, max_size=2)
ONE_RULE = st.sampled_from(["open", "new", "new_in_environment", "new_in_environment", "max_age_days"]).flatmap(
    lambda rule: SOME.map(lambda limits: {"open": {}, "new": {}, "allow_partial": True} | {rule: limits})
)
"""A gate that has one rule lets much through, so that much is compared with what is live then."""
EVERY_RULE = st.fixed_dictionaries(
    {"open": LIMITS, "new": LIMITS},
    optional={
        "new_in_environment": LIMITS,
        "max_age_days": st.dictionaries(st.sampled_from(["high", "low"]), st.integers(0, 6), max_size=2),
        "unknown_age": st.sampled_from(["block", "allow"]),
        "allow_partial": st.booleans(),
        "required_frameworks": st.sampled_from([[], ["terraform"], ["kubernetes"]]),
        "unskippable_checks": st.sampled_from([[], ["CKV_?"], ["*"]]),
        "inline_suppressions": st.sampled_from(["accept", "ignore", {"high": "need_reason"}]),
    },
)
GATES = ONE_RULE | EVERY_RULE
SUPPRESSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "check": st.sampled_from(["CKV_a", "CKV_b", "CKV_*"]),
            "expires": st.sampled_from([date(2024, 1, 3), date(2024, 1, 6), date(2030, 1, 1)]),
            "reason": st.just("r"),
            "owner": st.just("o"),
        },
        optional={"since": st.sampled_from([date(2024, 1, 2), date(2024, 1, 5)])},
    ),
    max_size=2,
)


def bare(verdict: Verdict | tuple[str, ...]) -> list[str]:
    """The reasons without the example that each names, for which any of its findings will do."""
    reasons = verdict.reasons if isinstance(verdict, Verdict) else verdict
    return [re.sub(r"(, the oldest.*|, for example .*|: fix them.*)", "", reason) for reason in reasons]


class TheGate:
    """Judges each deployment by the gate itself, in an environment of its own where what would be live is live."""

    def __init__(self, history: History, past: Past, file: Path) -> None:
        self.history, self.past, self.file = history, past, file
        self.asked = 0

    def judge(self, one: Attempt, live: int | None) -> Verdict:
        self.asked += 1
        environment = f"world-{self.asked}"
        if live is not None:
            record(self.history, self.past, Attempt(live, Outcome.DEPLOYED, 0, 0), environment)
        sha, mirror = self.past.shas[one.commit], Mirror(self.past.shas)
        return judge_commit(self.history, mirror, PROJECT, environment, sha, self.file, at(one.start))


def replayed_by_hand(
    past: Past, gate: TheGate, since: int
) -> tuple[list[tuple[Replayed, list[str]]], list[int | None]]:
    """Every verdict, with its reasons, and what would have been live in each hour."""
    verdicts, changes = [], list[tuple[int, int]]()
    live, healthy = None, set[int]()
    for one in past.attempts:
        if one.outcome not in TRIED:
            continue
        found = Replayed.NOT_JUDGED, list[str]()
        goes_back = live is not None and one.commit < live and one.commit in healthy
        if one.start >= since and one.commit != live and not goes_back:
            verdict = gate.judge(one, live)
            found = (Replayed.PASSED if verdict.passed else Replayed.STOPPED), bare(verdict)
        verdicts.append(found)
        if found[0] is not Replayed.STOPPED and one.outcome is Outcome.DEPLOYED:
            live = one.commit
            healthy.add(live)
            changes.append((one.end, live))
    hourly = [next((c for end, c in reversed(changes) if end <= hour), None) for hour in range(past.end)]
    return verdicts, hourly


def exposed_by_hand(past: Past, instead: list[int | None]) -> tuple[Counter[Severity], Counter[Severity]]:
    """Finding-hours saved and added, by a look at every hour."""
    saved, added = Counter[Severity](), Counter[Severity]()
    for hour in range(past.end):
        actual, other = (set() if n is None else set(past.commits[n].open) for n in (past.live(hour), instead[hour]))
        saved.update(one.severity for one in actual - other)
        added.update(one.severity for one in other - actual)
    return saved, added


def total(played: list[Played], name: str) -> Counter[Severity]:
    found: Counter[Severity] = Counter()
    for one in played:
        found.update(getattr(one, name) or {})
    return +found


@examples(8)
@given(pasts(), GATES, SUPPRESSIONS, st.integers(0, 400))
def test_it_stops_what_the_gate_itself_would_have_stopped_for_the_same_reasons(
    past: Past, policy: dict[str, Any], suppressions: list[dict[str, Any]], since_day: int
) -> None:
    since = since_day // 24 * 24
    with recorded(past) as line:
        folder = Path(line.history.url.removeprefix("sqlite:///")).parent
        (folder / "suppressions").mkdir()
        (folder / "suppressions/p.yaml").write_text(yaml.safe_dump({"suppressions": suppressions}))
        (folder / "gate.yaml").write_text(json.dumps(policy))
        accepted = read_accepted(folder, "p")
        rules = ProjectRules(suppressions=accepted.suppressions, mirror=line.mirror)
        question = asked(line, past.end, rules, since=at(since).date().isoformat())
        played = play(question, read_gate(folder / "gate.yaml"))
        expected, _ = replayed_by_hand(past, TheGate(line.history, past, folder / "gate.yaml"), since)
        assert [(one.verdict, bare(one.reasons)) for one in played] == expected


@examples(6)
@given(pasts(st.just(WHOLE), attempts_at_least=5), st.dictionaries(st.just("high"), st.just(0), min_size=1))
def test_what_is_new_in_the_environment_is_new_beside_what_would_have_been_live(
    past: Past, limits: dict[str, int]
) -> None:
    with recorded(past) as line:
        file = Path(line.history.url.removeprefix("sqlite:///")).parent / "gate.yaml"
        file.write_text(json.dumps({"open": {}, "new": {}, "new_in_environment": limits}))
        played = play(asked(line, past.end), read_gate(file))
        expected, _ = replayed_by_hand(past, TheGate(line.history, past, file), 0)
        assert [(one.verdict, bare(one.reasons)) for one in played] == expected


@examples(8)
@given(pasts(st.just(WHOLE)), GATES)
def test_the_hours_saved_and_added_are_those_of_every_single_hour(past: Past, policy: dict[str, Any]) -> None:
    with recorded(past) as line:
        file = Path(line.history.url.removeprefix("sqlite:///")).parent / "gate.yaml"
        file.write_text(json.dumps(policy))
        played = play(asked(line, past.end), read_gate(file))
        _, instead = replayed_by_hand(past, TheGate(line.history, past, file), 0)
        assert (total(played, "saved"), total(played, "added")) == exposed_by_hand(past, instead)
