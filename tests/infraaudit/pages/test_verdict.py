"""What became of a commit: one sentence with the reason, and the same word in every list."""

from typing import Any

import pytest

from infraaudit.pages.audit.verdict import verdict_of, word_of
from infraaudit_domain.delivery.deployments import Outcome

COMMIT = {"deployment": None, "environment": None, "deployment_reason": None, "stopped_by": None, "passed": None,
          "scan": "complete", "run_id": "r"}  # fmt: skip
GATE = "Not deployed: 2 new high findings, 0 allowed, for example CKV_1 in a.tf:1"


def stage(name: str, reason: str) -> dict[str, Any]:
    return {"stage": name, "reason": reason}


@pytest.mark.parametrize(
    ("of_commit", "stages", "word", "sentence"),
    [
        ({"stopped_by": "deployment", "deployment": "skipped", "environment": "production"}, [stage("deployment", GATE)],
         "stopped", "Stopped by the gate: 2 new high findings, 0 allowed, for example CKV_1 in a.tf:1"),
        ({"stopped_by": "test_results", "passed": 21}, [stage("test_results", "1 of 22 tests failed, the first is t")],
         "stopped", "Stopped by its tests: 1 of 22 tests failed, the first is t"),
        ({"stopped_by": "test_results"}, [stage("test_results", "the engine is gone")],
         "failed", "Failed in its tests: the engine is gone"),
        ({"stopped_by": "docker_image"}, [stage("docker_image", "no such base\nlog")],
         "failed", "Failed in the build of its image: no such base"),
        ({"deployment": "rolled_back", "environment": "production", "deployment_reason": "never ready\nlog"}, [],
         "rolled_back", "Rolled back in production: what ran before runs again: never ready"),
        ({"deployment": "degraded", "environment": "x"}, [], "degraded", "In x it failed, and so did going back."),
        ({"deployment": "superseded", "environment": "x"}, [],
         "superseded", "Superseded: a newer commit was deployed to x in its place."),
        ({"deployment": "skipped", "environment": "x", "deployment_reason": "it is not on main"}, [],
         "skipped", "Not deployed to x: it is not on main"),
        ({"deployment": "deployed", "environment": "x"}, [], "deployed", "Deployed to x, and replaced since."),
        ({}, [], "scanned", "Scanned, and not deployed."),
        ({"scan": "failed"}, [], "unknown", "Its scan failed, and it was not deployed."),
        ({"scan": None}, [], "unknown", "Not scanned yet, and not deployed."),
        ({"scan": None, "run_id": None}, [], "unknown", "Nothing was done with it yet: it was neither scanned nor built."),
    ],
)  # fmt: skip
def test_a_commit_has_its_verdict(
    of_commit: dict[str, Any], stages: list[dict[str, Any]], word: str, sentence: str
) -> None:
    found = verdict_of(COMMIT | of_commit, stages)
    assert (found.word, found.sentence) == (word, sentence)
    assert word_of(COMMIT | of_commit) == ("" if word in ("scanned", "unknown") else word)


OF_OUTCOMES = {
    Outcome.DEPLOYED: "Deployed to x, and replaced since.",
    Outcome.SKIPPED: "Not deployed to x: why.",
    Outcome.ROLLED_BACK: "Rolled back in x: what ran before runs again: why.",
    Outcome.SUPERSEDED: "Superseded: a newer commit was deployed to x in its place.",
    Outcome.FAILED: "In x it could not be deployed: why.",
    Outcome.DEGRADED: "In x it failed, and so did going back: why.",
    Outcome.INTERRUPTED: "Its deployment to x was interrupted, and is tried again: why.",
    Outcome.UNCHANGED: "Deployed to x, and replaced since.",
    Outcome.RUNNING: "It is being deployed to x.",
    Outcome.FROZEN: "Not deployed to x yet: why.",
    Outcome.WAITING: "Not deployed to x yet: why.",
}
BAD = {Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.DEGRADED, Outcome.INTERRUPTED}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_sentence(outcome: Outcome) -> None:
    commit = COMMIT | {"deployment": outcome.value, "environment": "x", "deployment_reason": "why.\nlog"}
    found = verdict_of(commit, [])
    assert (found.word, found.sentence, found.is_bad) == (outcome, OF_OUTCOMES[outcome], outcome in BAD)
    assert word_of(commit) == outcome


def test_what_is_live_says_where() -> None:
    live = verdict_of(COMMIT | {"deployment": "deployed", "environment": "x"}, [], ["staging", "production"])
    assert live.sentence == "Deployed to x, and live in staging and production." and not live.is_bad
