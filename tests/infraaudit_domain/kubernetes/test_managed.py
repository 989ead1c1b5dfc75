"""Field ownership as API servers write it: what others added, by whom, and what of it is ignored."""

from typing import Any

import pytest

from infraaudit_domain.kubernetes.drift import differences
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule, parse_path
from infraaudit_domain.kubernetes.managed import additions, locate, manager_of, removals, shown

OURS = "infraaudit/shop"


def entry(manager: str, fields: dict[str, Any], operation: str = "Update", **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, "time": "2026-01-01T00:00:00Z"} | more


def in_pod(fields: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {"f:template": {"f:spec": fields}}}


WEB = 'k:{"name":"web"}'
APPLIED = in_pod({"f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}, "f:ports": {
    'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}}}})  # fmt: skip
BY_HAND = in_pod(
    {"f:containers": {
        WEB: {"f:env": {".": {}, 'k:{"name":"DEBUG"}': {".": {}, "f:name": {}, "f:value": {}}}, "f:image": {}},
        'k:{"name":"side"}': {".": {}, "f:name": {}, "f:image": {}},
     }, "f:securityContext": {"f:runAsUser": {}}}
)  # fmt: skip
POD: dict[str, Any] = {
    "containers": [
        {"name": "side", "image": "s"},
        {"name": "web", "image": "changed", "env": [{"name": "DEBUG", "value": "1"}], "ports": [{"containerPort": 80}]},
    ],
    "securityContext": {"runAsUser": 0},
}
LIVE: dict[str, Any] = {
    "metadata": {
        "annotations": {"deployment.kubernetes.io/revision": "2", "team/note": "x"},
        "managedFields": [
            entry(OURS, APPLIED, "Apply"),
            entry("kubectl-edit", BY_HAND),
            entry("kube-controller-manager", {"f:metadata": {"f:annotations": {"f:team/note": {}}}}),
            entry("hpa", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
            entry("kubelet", {"f:status": {"f:x": {}}}, subresource="status"),
        ],
    },
    "spec": {"replicas": 3, "template": {"spec": POD}},
}


def test_additions_are_whole_things_with_who_made_them() -> None:
    found = {shown((locate(LIVE, keys) or ((),))[0]): who for keys, who in additions(LIVE, OURS)}
    assert found == {
        "spec.template.spec.containers[1].env": "kubectl-edit",
        "spec.template.spec.containers[0]": "kubectl-edit",
        "spec.template.spec.securityContext.runAsUser": "kubectl-edit",
        "spec.replicas": "hpa",
    }


def test_taking_out_keeps_positions_true() -> None:
    paths = [one["path"] for one in removals(LIVE, [keys for keys, _ in additions(LIVE, OURS)])]
    below = "/spec/template/spec/containers"
    assert paths.index(f"{below}/1/env") < paths.index(f"{below}/0"), "what is removed first must not move the rest"
    assert len(paths) == 4
    odd = [("f:metadata", "f:annotations", "f:team/note")]
    assert removals(LIVE, odd) == [{"op": "remove", "path": "/metadata/annotations/team~1note"}]


def test_a_changed_field_names_who_changed_it() -> None:
    wanted = {
        "spec": {
            "replicas": 1,
            "template": {
                "spec": POD | {"containers": [POD["containers"][0], POD["containers"][1] | {"image": "ours"}]}
            },
        }
    }
    found = {
        one.path: one.manager
        for one in differences("Deployment/web", wanted, LIVE, OURS)
        if one.path.startswith("spec")
    }
    assert found == {"spec.replicas": "hpa", "spec.template.spec.containers[1].image": "kubectl-edit"}
    assert manager_of(LIVE, ("spec", "nowhere"), OURS) == ""


@pytest.mark.parametrize(
    ("text", "path", "covered"),
    [
        ("$.spec.replicas", ("spec", "replicas"), True),
        ("$.spec", ("spec", "replicas"), True),
        ("$.spec.replicas.deeper", ("spec", "replicas"), False),
        ("$.spec.template.spec.containers[*].image", ("spec", "template", "spec", "containers", 1, "image"), True),
        ("$.spec.template.spec.containers[?(@.name=='web')].image", ("spec", "template", "spec", "containers", 1, "image"), True),
        ("$.spec.template.spec.containers[?@.name == \"web\"]", ("spec", "template", "spec", "containers", 0), False),
        ("$.spec.template.spec.containers[0]", ("spec", "template", "spec", "containers", 0, "image"), True),
        ("$.metadata.annotations['team/note']", ("metadata", "annotations", "team/note"), True),
        ("$.metadata.annotations[\"team/note\"]", ("metadata", "annotations", "other"), False),
        ("$.*", ("spec",), True),
    ],
)  # fmt: skip
def test_a_json_path_covers_what_is_there_and_below(text: str, path: tuple[str | int, ...], covered: bool) -> None:
    assert IgnoreRule("Deployment/*", parse_path(text)).covers("Deployment/web", LIVE, path) is covered
    assert not IgnoreRule("Service/web", parse_path(text)).covers("Deployment/web", LIVE, path)


@pytest.mark.parametrize(
    "text", ["", "$", "spec.replicas", "$..replicas", "$.spec[1:2]", "$.a[?(@.x>1)]", "$.a[", "$.a b"]
)
def test_what_is_no_path_that_is_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="JSON path"):
        parse_path(text)
