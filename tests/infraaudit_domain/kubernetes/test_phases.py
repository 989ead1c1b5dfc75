from typing import Any

import pytest

from infraaudit_domain.errors import ManifestError
from infraaudit_domain.kubernetes.manifests import render_manifests
from infraaudit_domain.kubernetes.phases import phase_faults, phases
from infraaudit_domain.kubernetes.pod_spec import plan_pod
from infraaudit_domain.kubernetes.rollout import judge_definition


def one(kind: str, name: str, **annotations: str) -> dict[str, Any]:
    given = {f"infraaudit.io/{key}": value for key, value in annotations.items()}
    return {"kind": kind, "metadata": {"name": name, "annotations": given}}


def order(*documents: dict[str, Any]) -> list[list[str]]:
    return [[document["metadata"]["name"] for document in phase] for phase in phases(documents)]


def test_without_hooks_and_waves_all_is_applied_at_once() -> None:
    assert order(one("ConfigMap", "c"), one("Service", "s"), one("Deployment", "d"), one("Job", "j")) == [
        ["c", "s", "d", "j"]
    ]
    assert order() == [[]]


def test_hooks_are_around_the_waves_and_what_they_need_is_there_before() -> None:
    documents = [
        one("ConfigMap", "settings"), one("Secret", "late", wave="2"), one("Service", "s"), one("Deployment", "web"),
        one("Deployment", "db", wave="-1"), one("Job", "plain", wave="2"), one("Job", "smoke", hook="post-deploy"),
        one("Job", "second", hook="pre-deploy", wave="5"), one("Job", "first", hook="pre-deploy"),
        one("Job", "down", hook="rollback"),
    ]  # fmt: skip
    assert order(*documents) == [
        ["settings"], ["first"], ["second"], ["db"], ["s", "web"], ["late", "plain"], ["smoke"],
    ]  # fmt: skip


def test_definitions_come_before_everything_else() -> None:
    documents = [one("Widget", "w"), one("Job", "first", hook="pre-deploy"), one("ConfigMap", "c"),
                 one("CustomResourceDefinition", "widgets")]  # fmt: skip
    assert order(*documents) == [["widgets"], ["c"], ["first"], ["w"]]


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        (None, "progressing"),
        ([], "progressing"),
        ([{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "False"}], "progressing"),
        ([{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}], "available"),
        ([{"type": "NamesAccepted", "status": "False", "message": "widgets is in use"}], "failed"),
    ],
)
def test_a_definition_is_waited_for_until_it_is_established(conditions: Any, state: str) -> None:
    found = None if conditions is None else {"status": {"conditions": conditions}}
    assert judge_definition(found, "widgets.example.org").state == state


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (one("Job", "j", hook="before"), "may be pre-deploy, post-deploy, rollback"),
        (one("Deployment", "d", hook="pre-deploy"), "for Jobs alone"),
        (one("Job", "j", wave="first"), "has to be a number"),
        ({"kind": "Job", "metadata": {"annotations": {"infraaudit.io/wave": 1}}}, "has to be a number in quotes"),
        ({"kind": "Job", "metadata": {"annotations": {"infraaudit.io/hook": ["x"]}}}, "may be"),
    ],
)  # fmt: skip
def test_what_is_no_hook_and_no_wave_is_refused(document: dict[str, Any], words: str) -> None:
    assert words in " ".join(phase_faults(document))
    whole = document | {"apiVersion": "v1", "metadata": {"name": "a"} | document["metadata"]}
    with pytest.raises(ManifestError, match=words):
        render_manifests([("a", whole)], project="p", sha="1", environment="e", namespace="n", image="i")


def test_hooks_and_waves_of_a_good_release_are_no_fault() -> None:
    assert not [*phase_faults(one("Job", "j", hook="rollback", wave="-12")), *phase_faults({"kind": "Job"})]


def test_containers_without_a_cluster_refuse_a_hook_instead_of_leaving_it_out() -> None:
    pod = {"containers": [{"name": "a", "image": "i"}]}
    deployment = one("Deployment", "d") | {"spec": {"template": {"spec": pod}}}
    assert plan_pod([deployment, one("Job", "plain")])
    with pytest.raises(ManifestError, match="Job/migrate is a pre-deploy hook"):
        plan_pod([deployment, one("Job", "migrate", hook="pre-deploy")])
