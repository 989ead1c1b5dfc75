from dataclasses import replace
from typing import Any

import pytest

from infraaudit_domain.delivery.advice import TAKEN_BACK, Candidate, advise
from infraaudit_domain.kubernetes.autoscaling import left_alone, scaled_by
from infraaudit_domain.kubernetes.drift import differences
from infraaudit_domain.kubernetes.rollout import (
    JobStatus,
    PodStatus,
    WorkloadStatus,
    judge_job,
    judge_rollout,
    restarted,
)
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


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({"partition": 1, "updated": 1}, "available", "below partition 1"),
        ({"partition": 1, "updated": 0}, "progressing", ""),
        ({"partition": 5, "updated": 0}, "available", "below partition 5"),
        ({"partition": 1, "updated": 1, "available": 1}, "progressing", ""),
        ({"strategy": "OnDelete", "updated": 0}, "available", "OnDelete"),
        ({"strategy": "OnDelete", "updated": 0, "available": 1}, "progressing", ""),
        ({"paused": True, "updated": 0}, "failed", "is paused"),
        ({"paused": True}, "available", ""),
        ({"paused": True, "observed_generation": 1}, "progressing", ""),
        ({"desired": 0, "updated": 0, "available": 0, "total": 0}, "available", ""),
        ({"desired": 0, "updated": 0, "available": 0, "total": 1}, "progressing", ""),
    ],
)
def test_strategies_are_judged_as_kubectl_judges_them(change: dict, state: str, words: str) -> None:
    judged = judge_rollout(replace(DONE, **change), [])
    assert judged.state == state and words in f"{judged.reason} {judged.note}"
    assert bool(judged.note) == (state == "available" and bool(words))


def test_what_stood_before_the_release_was_applied_is_no_result_of_it() -> None:
    late = replace(DONE, available=1, deadline_exceeded="late", deadline_since="10:00")
    refused = replace(DONE, available=1, replica_failure="quota", failure_since="10:00")
    for status in (late, refused):
        assert judge_rollout(status, [], before=status).state == "progressing"
        assert judge_rollout(status, [], before=DONE).state == "failed"
        again = replace(status, deadline_since="10:05", failure_since="10:05")
        assert judge_rollout(again, [], before=status).state == "failed"


@pytest.mark.parametrize(
    ("job", "waiting", "state"),
    [
        (JobStatus("m", complete=True), "", "available"),
        (JobStatus("m", failed="BackoffLimitExceeded: too often", active=1), "", "failed"),
        (JobStatus("m", active=1), "", "progressing"),
        (JobStatus("m"), "", "progressing"),
        (JobStatus("m", active=1), "CrashLoopBackOff", "progressing"),
        (JobStatus("m", active=1), "ImagePullBackOff", "failed"),
        (JobStatus("m", complete=True), "ImagePullBackOff", "available"),
        (JobStatus("m", suspended=True), "", "available"),
        (JobStatus("m", gone=True), "", "failed"),
    ],
)
def test_jobs_are_waited_for(job: JobStatus, waiting: str, state: str) -> None:
    judged = judge_job(job, [PodStatus("p", "c", waiting)] if waiting else [])
    assert judged.state == state
    assert bool(judged.note) == job.suspended


def test_a_restart_is_one_of_a_container_that_was_there_or_came_since() -> None:
    before = [PodStatus("p", "c", uid="1", restarts=2), PodStatus("q", "c", uid="2")]
    assert restarted(before, before) == ""
    assert "c of pod p" in restarted(before, [replace(before[0], restarts=3, last_exit="exit code 137 (OOMKilled)")])
    assert "exit code 1" in restarted(before, [PodStatus("r", "c", uid="3", restarts=1, last_exit="exit code 1")])


AUTOSCALER = {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}}


def test_what_an_autoscaler_owns_is_left_to_it() -> None:
    assert scaled_by([AUTOSCALER, {"spec": None}]) == {"Deployment/web", "None/None"}
    wanted: dict[str, Any] = {
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 1, "paused": False},
    }
    owner = {
        "manager": "kcm",
        "operation": "Update",
        "subresource": "scale",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }
    scaled = {"metadata": {"managedFields": [owner]}, "spec": {"replicas": 3}}
    assert left_alone(wanted, None) == wanted, "the first time somebody has to say how many"
    assert left_alone(wanted, scaled)["spec"] == {"paused": False}
    alone = scaled | {"metadata": {"managedFields": []}}
    assert left_alone(wanted, alone)["spec"]["replicas"] == 3, "its only owner must not let go of it"
    silent: dict[str, Any] = {"kind": "Deployment", "spec": {"paused": False}}
    assert left_alone(silent, alone)["spec"]["replicas"] == 3 and wanted["spec"]["replicas"] == 1


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


def test_what_is_in_a_secret_is_not_shown() -> None:
    deployed = {"data": {"password": "b2xk"}, "stringData": {"token": "old"}, "type": "Opaque"}
    running = {"data": {"password": "bmV3", "key": "azE="}, "type": "other"}
    assert [str(one) for one in differences("Secret/s", deployed, running)] == [
        "Secret/s: data.key is ***, deployed was absent",
        "Secret/s: data.password is ***, deployed was ***",
        "Secret/s: stringData is absent, deployed was ***",
        "Secret/s: type is other, deployed was Opaque",
    ]
    assert "new" in str(differences("ConfigMap/c", {"data": {"a": "old"}}, {"data": {"a": "new"}})[0])


def test_advice_is_the_newest_that_never_failed_and_with_which_nothing_returns() -> None:
    finding = Finding("terraform", "CKV_1", "a check", "a.tf", "b", 1, 1)
    good = Candidate("good", True, True, (), (finding,), ("deployed",))
    worse = [
        replace(good, sha="red", tests_green=False),
        replace(good, sha="no image", has_image=False),
        replace(good, sha="rejected", rejected="it loses orders"),
        replace(good, sha="not scanned", returning=None, leaving=None),
        replace(good, sha="returns", returning=(finding,)),
        *(replace(good, sha=bad, outcomes=("deployed", bad)) for bad in ("rolled_back", "failed", "degraded")),
        replace(good, sha="taken back", outcomes=("deployed", TAKEN_BACK, "deployed")),
    ]
    assert all(one.against for one in worse)
    assert advise([*worse, good, replace(good, sha="older")]) == good
    assert advise(worse) is None
