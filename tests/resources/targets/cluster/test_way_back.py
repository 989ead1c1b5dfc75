"""What the way back removes, restores and leaves alone, by what the release had met."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import ClusterError
from resources.targets.cluster.way_back import WayBack
from tests.resources.targets.cluster.memory import Memory, config

OLD, BAD = "1" * 40, "2" * 40


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def undone(memory: Memory, found: dict[str, Any], resumes: bool = False, **more: Any) -> list[str]:
    failed = Release("shop", "production", BAD, "i", "", resumes=resumes)
    return WayBack(memory, "x", failed, found, **more).go([config("a", BAD)], frozenset())


def test_what_was_there_with_the_same_commit_is_removed_only_where_a_cut_off_attempt_made_it() -> None:
    before = config("a", BAD, data={"k": "before"})
    for resumes, left in ((False, {"ConfigMap/a"}), (True, set())):
        memory = Memory.of(config("a", BAD, 2, data={"k": "after"}))
        undone(memory, {"ConfigMap/a": before}, resumes)
        assert set(memory.objects) == left
        assert all(one["data"] == {"k": "before"} for one in memory.objects.values())


def test_what_may_be_adopted_is_never_removed() -> None:
    for found in (config("a", BAD, data={"k": "theirs"}), None):
        memory = Memory.of(config("a", BAD, 2, data={"k": "ours"}))
        assert undone(memory, {"ConfigMap/a": found}, True, adopt=["ConfigMap/a"])
        assert "ConfigMap/a" in memory.objects


def test_what_is_new_is_removed_and_what_another_commit_wrote_since_is_left() -> None:
    memory = Memory.of(config("a", BAD))
    assert undone(memory, {"ConfigMap/a": None}) == ["ConfigMap/a was brought by it and is removed"]
    assert not memory.objects
    for found in (None, config("a", OLD)):
        memory = Memory.of(config("a", OLD, 3))
        assert undone(memory, {"ConfigMap/a": found}) == [] and memory.objects["ConfigMap/a"] == config("a", OLD, 3)


def test_nothing_is_touched_once_another_machine_has_the_lease() -> None:
    def check() -> None:
        raise ClusterError("it was taken over by another machine")

    memory = Memory.of(config("a", BAD))
    lines = undone(memory, {"ConfigMap/a": None}, lease=SimpleNamespace(lost=threading.Event(), check=check))
    assert "could not be taken back" in lines[0] and "another machine" in lines[0] and memory.objects


def test_what_the_release_has_never_looked_at_is_left() -> None:
    memory = Memory.of(config("a", BAD))
    assert undone(memory, {}) == [] and memory.objects


def test_a_refusal_is_reported_with_its_object() -> None:
    memory = Memory.of(config("a", BAD), refuses={"delete": 403})
    (line,) = undone(memory, {"ConfigMap/a": None})
    assert line.startswith("ConfigMap/a could not be taken back: removing ConfigMap/a: the API server refused it (403)")


def test_who_was_quicker_does_not_lose_what_it_wrote_to_another_field_of_the_server() -> None:
    def change(found: dict[str, Any]) -> None:
        if "status" not in found:
            found["status"] = {"of": "another"}
            found["extra"] = "came in between"
            found["metadata"]["resourceVersion"] = "7"

    memory = Memory.of(config("a", BAD, 2, data={"k": "after"}), before_patch=change)
    assert undone(memory, {"ConfigMap/a": config("a", OLD, data={"k": "before"})}) == [
        "ConfigMap/a is as it was before"
    ]
    left = memory.objects["ConfigMap/a"]
    assert (left["data"], left["status"], "extra" in left) == ({"k": "before"}, {"of": "another"}, False)
    assert left["metadata"]["annotations"]["infraaudit/commit"] == OLD
