import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from infraaudit_domain.errors import ManifestError
from infraaudit_domain.kubernetes.pod_spec import PodPlan, plan_pod
from infraaudit_domain.kubernetes.pod_values import expand, quantity

CONTAINER: dict[str, Any] = {
    "name": "app",
    "image": "a:1",
    "command": ["run", "--name=$(NAME)", "$$(NAME)", "$(OTHER)"],
    "args": ["x"],
    "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "C_"}],
    "env": [
        {"name": "NAME", "value": "one"},
        {"name": "TWICE", "value": "$(NAME)-$(NAME)"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "secrets", "key": "key"}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "MAYBE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "no", "optional": True}}},
    ],
    "ports": [{"name": "http", "containerPort": 8080}, {"containerPort": 9090}],
    "readinessProbe": {"httpGet": {"path": "ready", "port": "http"}, "periodSeconds": 2, "successThreshold": 3},
    "startupProbe": {"tcpSocket": {"port": 7070}},
    "resources": {"limits": {"memory": "128Mi", "cpu": "250m"}},
    "securityContext": {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    "volumeMounts": [{"name": "conf", "mountPath": "/conf/"}, {"name": "tmp", "mountPath": "/tmp"}],
}
POD: dict[str, Any] = {
    "securityContext": {"runAsUser": 5, "runAsGroup": 6, "runAsNonRoot": True},
    "containers": [CONTAINER],
    "volumes": [
        {"name": "conf", "secret": {"secretName": "secrets", "items": [{"key": "key", "path": "file"}]}},
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
    ],
}
DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": "green"}},
    {
        "kind": "Secret",
        "metadata": {"name": "secrets"},
        "data": {"key": base64.b64encode(b"k").decode()},
        "stringData": {"o": "p"},
    },
    {"kind": "Service", "spec": {"selector": {"app": "b"}, "ports": [{"port": 1}]}},
    {"kind": "Service", "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": "http"}]}},
    {
        "kind": "Deployment",
        "metadata": {"name": "app"},
        "spec": {
            "progressDeadlineSeconds": 30,
            "template": {"metadata": {"labels": {"app": "a", "x": "y"}}, "spec": POD},
        },
    },
]


def _plan(**changes: object) -> PodPlan:
    documents = copy.deepcopy(DOCUMENTS)
    pod = documents[-1]["spec"]["template"]["spec"]
    for path, value in changes.items():
        holder = pod["containers"][0] if path.startswith("c_") else pod
        holder[path.removeprefix("c_")] = value
    return plan_pod(documents)


def test_a_pod_becomes_what_an_engine_understands() -> None:
    plan = _plan()
    app = plan.containers[0]
    assert app.command == ("run", "--name=one", "$(NAME)", "$(OTHER)") and app.args == ("x",)
    assert dict(app.env) == {"C_colour": "green", "NAME": "one", "TWICE": "one-one", "KEY": "k", "POD": "app"}
    assert (app.user, app.non_root, app.read_only_root, app.drop) == ("5:6", True, True, ("ALL",))
    assert (app.memory_bytes, app.cpus) == (128 << 20, 0.25)
    assert app.readiness is not None and app.startup is not None
    assert (app.readiness.kind, app.readiness.port, app.readiness.path, app.readiness.successes) == (
        "http",
        8080,
        "/ready",
        3,
    )
    assert (plan.service_port, plan.ports, plan.deadline_seconds) == (8080, (8080, 9090, 7070), 30)
    conf, tmp = app.mounts
    assert (conf.path, conf.volume.kind, conf.volume.files) == ("/conf", "files", (("file", "k"),))
    assert (tmp.volume.kind, tmp.volume.mebibytes) == ("memory", 16)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"hostPID": True}, "hostPID"),
        ({"volumes": [{"name": "conf", "hostPath": {"path": "/"}}]}, "hostPath"),
        ({"c_securityContext": {"privileged": True}}, "be privileged"),
        ({"c_securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, "SYS_ADMIN"),
        ({"containers": []}, "no container"),
        ({"c_name": "--rm"}, "odd name"),
        ({"c_volumeMounts": [{"name": "conf", "mountPath": "/a:/b"}]}, "odd path"),
        ({"c_volumeMounts": [{"name": "conf", "mountPath": "/../etc"}]}, "odd path"),
        ({"c_volumeMounts": [{"name": "none", "mountPath": "/a"}]}, "no such volume"),
        ({"c_env": [{"name": "A=B", "value": "1"}]}, "odd name"),
        ({"c_env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "a"}}}]}, "not among"),
        ({"c_readinessProbe": {"httpGet": {"port": "none"}}}, "not a workload"),
        ({"c_resources": {"limits": {"memory": "lots"}}}, "no quantity"),
        ({"c_ports": "8080"}, "ports is no list"),
        ({"volumes": [{"name": "conf", "configMap": {"name": "settings", "items": [{"key": "colour", "path": "../x"}]}}]},
         "odd name"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        _plan(**changes)


def test_a_claim_and_a_key_keep_their_own_names() -> None:
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "postgres.data-0"}}
    files = {"name": "conf", "configMap": {"name": "settings", "items": [{"key": "colour", "path": "a/b.txt"}]}}
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "conf", "mountPath": "/conf"}]
    plan = _plan(volumes=[claim, files], c_volumeMounts=mounts, c_env=[{"name": ".app-mode", "value": "x"}])
    data, conf = plan.containers[0].mounts
    assert (data.volume.name, data.volume.kind, data.path) == ("postgres.data-0", "claim", "/data")
    assert conf.volume.files == (("a/b.txt", "green"),)
    assert dict(plan.containers[0].env)[".app-mode"] == "x"
    with pytest.raises(ManifestError, match="claim of the odd name"):
        _plan(volumes=[claim | {"persistentVolumeClaim": {"claimName": "../x"}}])


def test_one_workload_it_must_be() -> None:
    with pytest.raises(ManifestError, match="have 0"):
        plan_pod(DOCUMENTS[:-1])
    with pytest.raises(ManifestError, match="have 2"):
        plan_pod([*DOCUMENTS, DOCUMENTS[-1]])


@pytest.mark.parametrize(("text", "value"), [("500m", 0.5), ("1", 1), ("0.1", 0.1), ("1Gi", 1 << 30), ("2k", 2000)])
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["containers", "volumes", "securityContext", *(f"c_{key}" for key in CONTAINER)]), _JSON)
def test_any_pod_is_planned_or_refused_and_nothing_else(key: str, value: object) -> None:
    try:
        _plan(**{key: value})
    except ManifestError:
        return


@given(st.text(alphabet="$()AB", max_size=30))
def test_expansion_ends_and_knows_only_its_names(text: str) -> None:
    assert "$(A)" not in expand(text.replace("$$", ""), {"A": "x", "B": "y"})


@pytest.mark.parametrize("number", ["129", "0.5", ".5", "5."])
@pytest.mark.parametrize("unit", [*"numkMGTPE", "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e6", "E3", "e-3", "e+2"])
def test_a_quantity_is_what_kubernetes_own_client_reads(number: str, unit: str) -> None:
    assert quantity(number + unit) == pytest.approx(float(parse_quantity(number + unit)))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999999999", "-1", "1ki", "1Zi", ".", "e6", "1e", "1_000", "٣"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        quantity(text)
