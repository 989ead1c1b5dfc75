"""What is deleted because a release does not contain it, and that the Lease is asked before each deletion."""

from typing import Any

import pytest

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.errors import ClusterError
from resources.targets.cluster import objects
from resources.targets.cluster.connection import Cluster
from resources.targets.cluster.objects import prune
from tests.resources.targets.cluster.memory import Memory, config

NEW, OLD = "2" * 40, "1" * 40
CLUSTER = Cluster(None, "test", "v1.30.0", True)
RELEASE = Release("shop", "production", NEW, "i", "")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    found = Memory.of(config("a", OLD), config("b", OLD), config("kept", NEW), config("of-nobody"))
    monkeypatch.setattr(objects, "discovered", lambda cluster: found)
    return found


def test_what_the_release_does_not_contain_is_pruned(memory: Memory) -> None:
    asked: list[int] = []
    gone = prune(CLUSTER, "x", RELEASE, [config("kept")], lambda: asked.append(len(memory.objects)))
    assert gone == ["ConfigMap/a", "ConfigMap/b"] and set(memory.objects) == {"ConfigMap/kept", "ConfigMap/of-nobody"}
    assert asked == [4, 3]


@pytest.mark.parametrize(("answers", "left"), [(0, {"a", "b"}), (1, {"b"})])
def test_nothing_is_pruned_once_another_machine_has_the_lease(memory: Memory, answers: int, left: set[str]) -> None:
    held: list[Any] = [None] * answers

    def ask() -> None:
        if not held:
            raise ClusterError("it was taken over by another machine")
        held.pop()

    with pytest.raises(ClusterError, match="another machine"):
        prune(CLUSTER, "x", RELEASE, [config("kept")], ask)
    assert set(memory.objects) == {f"ConfigMap/{name}" for name in (*left, "kept", "of-nobody")}
