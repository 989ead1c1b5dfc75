from dataclasses import replace

import pytest

from infraaudit_domain.delivery.advice import TAKEN_BACK, Candidate, advise
from infraaudit_domain.kubernetes.drift import differences
from infraaudit_domain.kubernetes.rollout import PodStatus, WorkloadStatus, judge_rollout
from infraaudit_domain.scans.findings import Finding

DONE = WorkloadStatus("web", 2, 2, desired=2, updated=2, available=2, total=2)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "available"),
        ({"observed_generation": 1}, "progressing"),
        ({"updated": 1}, "progressing"),
        ({"available": 1}, "progressing"),
        ({"total": 3}, "progressing"),
        ({"available": 1, "deadline_exceeded": "late"}, "failed"),
        ({"available": 1, "replica_failure": "quota"}, "failed"),
        ({"deadline_exceeded": "of an earlier generation"}, "available"),
        ({"observed_generation": 1, "deadline_exceeded": "of the change before"}, "progressing"),
    ],
)
def test_workload(change: dict, state: str) -> None:
    assert judge_rollout(replace(DONE, **change), []).state == state


def test_pods_report_before_the_workload_does() -> None:
    waiting = replace(DONE, available=0)
    for reason in ("CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError", "InvalidImageName"):
        judged = judge_rollout(waiting, [PodStatus("p", "c", reason, "the pod's own message")])
        assert judged.state == "failed" and "the pod's own message" in judged.reason
    assert judge_rollout(waiting, [PodStatus("p", "c", "ContainerCreating")]).state == "progressing"
    for seconds, state in ((59, "progressing"), (61, "failed")):
        pod = PodStatus("p", "", unschedulable="no node", unschedulable_seconds=seconds)
        assert judge_rollout(waiting, [pod]).state == state


def test_drift_is_by_field_and_leaves_out_what_the_server_keeps() -> None:
    deployed = {"metadata": {"name": "w", "generation": 1}, "spec": {"a": [1, 2], "b": {"c": 1}}, "status": {"x": 1}}
    assert (
        differences("D/w", deployed, deployed | {"status": {"x": 2}, "metadata": {"name": "w", "generation": 7}}) == []
    )
    found = differences("D/w", deployed, deployed | {"spec": {"a": [1, 3], "b": {"c": 1, "d": 5}}})
    assert [str(one) for one in found] == [
        "D/w: spec.a[1] is 3, deployed was 2",
        "D/w: spec.b.d is 5, deployed was absent",
    ]
    assert [str(one) for one in differences("D/w", deployed, None)] == ["D/w is gone"]


def test_advice_is_the_newest_that_never_failed_and_with_which_nothing_returns() -> None:
    finding = Finding("terraform", "CKV_1", "a check", "a.tf", "b", 1, 1)
    good = Candidate("good", True, True, (), (finding,), ("deployed",))
    worse = [
        replace(good, sha="red", tests_green=False),
        replace(good, sha="no image", has_image=False),
        replace(good, sha="not scanned", returning=None, leaving=None),
        replace(good, sha="returns", returning=(finding,)),
        *(replace(good, sha=bad, outcomes=("deployed", bad)) for bad in ("rolled_back", "failed", "degraded")),
        replace(good, sha="taken back", outcomes=("deployed", TAKEN_BACK, "deployed")),
    ]
    assert all(one.against for one in worse)
    assert advise([*worse, good, replace(good, sha="older")]) == good
    assert advise(worse) is None
