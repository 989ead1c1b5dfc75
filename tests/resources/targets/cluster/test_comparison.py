"""What others added is taken out once, whatever happens to the requests; a refusal concerns its object alone."""

import time
from typing import Any

import pytest

from resources.targets.cluster.drift import Comparison
from tests.resources.targets.cluster.memory import Memory, config

OURS = "infraaudit/shop"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def listing(*names: str, **more: Any) -> dict[str, Any]:
    return config("a", items=[{"name": name} for name in names], **more)


def met() -> dict[str, Any]:
    """One with an entry `hand` that kubectl added, between two of ours."""
    found = listing("one", "hand", "two")
    fields: dict[str, Any] = {"f:items": {'k:{"name":"hand"}': {".": {}, "f:name": {}}}}
    found["metadata"]["managedFields"] = [{"manager": "kubectl", "operation": "Update", "fieldsV1": fields}]
    return found


def names(memory: Memory) -> list[str]:
    return [one["name"] for one in memory.objects["ConfigMap/a"]["items"]]


def wanted() -> dict[str, Any]:
    """As it is applied: what is not among it is left alone by the server."""
    document = config("a")
    del document["metadata"]["resourceVersion"]
    return document


def test_a_lost_answer_takes_out_no_second_entry() -> None:
    memory = Memory.of(met(), lost=1)
    assert Comparison(memory, "x", OURS).take_out([wanted()]) == ["ConfigMap/a: /items/1 taken out"]
    assert names(memory) == ["one", "two"]


def test_who_was_quicker_moves_no_position() -> None:
    def insert(found: dict[str, Any]) -> None:
        if len(found["items"]) == 3:
            found["items"].insert(0, {"name": "zero"})
            found["metadata"]["resourceVersion"] = "2"

    memory = Memory.of(met(), before_patch=insert)
    Comparison(memory, "x", OURS).take_out([wanted()])
    assert names(memory) == ["zero", "one", "two"]


def test_what_cannot_be_read_fails_no_release() -> None:
    odd = wanted()
    odd["metadata"]["name"] = "../secrets/x"
    (line,) = Comparison(Memory.of(met()), "x", OURS).take_out([odd])
    assert "could not be taken out" in line


@pytest.mark.parametrize("verb", ["patch", "apply"])
def test_a_refusal_is_a_note_of_its_object(verb: str) -> None:
    memory = Memory.of(met(), refuses={verb: 422})
    (line,) = Comparison(memory, "x", OURS).take_out([wanted()])
    assert line.startswith("ConfigMap/a: what others added could not be taken out") and "(422)" in line
    assert names(memory) == ["one", "hand", "two"]


def test_a_refused_object_is_one_difference_and_without_defaults_nothing_is_taken_for_one() -> None:
    refused = Comparison(Memory.of(met(), refuses={"apply": 422}), "x", OURS).differences([wanted()])
    assert [(one.path, one.deployed) for one in refused] == [("applying it again", "accepted")]
    assert "422" in refused[0].running
    without = Comparison(Memory.of(met(), refuses={"create": 403}), "x", OURS).differences([wanted()])
    assert [(one.path, one.manager) for one in without] == [("items[1]", "kubectl")]


def test_a_job_keeps_the_marks_of_the_commit_that_ran_it() -> None:
    job = config("a", "1" * 40) | {"kind": "Job", "spec": {"x": 1}}
    memory = Memory.of(config("a", "2" * 40) | {"kind": "Job", "spec": {"x": 2}})
    assert [one.path for one in Comparison(memory, "x", OURS).differences([job])] == ["spec.x"]
