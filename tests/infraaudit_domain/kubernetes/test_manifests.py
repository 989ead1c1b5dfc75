import contextlib
import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infraaudit_domain.errors import ManifestError
from infraaudit_domain.kubernetes.manifest_policy import containers_of, pod_spec
from infraaudit_domain.kubernetes.manifests import render_manifests

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"mine": "kept"}},
    "spec": {
        "replicas": 2,
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {"name": "web", "image": "x", "imagePullPolicy": "Always"},
                    {"name": "side", "image": "y"},
                ]
            },
        },
    },
}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}


def render(*documents: object, image: str = "infraaudit/p:1", container: str | None = None) -> list[dict]:
    pairs = [(f"{number}.yaml", document) for number, document in enumerate(documents)]
    return render_manifests(
        pairs,
        project="p", sha="a" * 40, environment="production", namespace="shop", image=image, container=container,
    )  # fmt: skip


def test_the_image_is_replaced_and_the_rest_stays() -> None:
    before = copy.deepcopy(DEPLOYMENT)
    service, deployment = render(DEPLOYMENT, SERVICE)
    assert before == DEPLOYMENT
    assert service["kind"] == "Service" and service["spec"] == SERVICE["spec"]
    web, side = deployment["spec"]["template"]["spec"]["containers"]
    assert (web["image"], web["imagePullPolicy"], side["image"]) == ("infraaudit/p:1", "IfNotPresent", "y")
    assert deployment["spec"]["replicas"] == 2
    assert deployment["metadata"]["labels"] == {
        "mine": "kept",
        "app.kubernetes.io/managed-by": "infraaudit",
        "infraaudit/project": "p",
    }
    said = {"infraaudit/commit": "a" * 40, "infraaudit/environment": "production"}
    assert deployment["spec"]["template"]["metadata"]["annotations"] == said
    assert {document["metadata"]["namespace"] for document in (service, deployment)} == {"shop"}


def test_the_named_container_gets_the_image() -> None:
    (deployment,) = render(DEPLOYMENT, container="side", image="r/p@sha256:1")
    web, side = deployment["spec"]["template"]["spec"]["containers"]
    assert (web["image"], web["imagePullPolicy"], side["image"]) == ("x", "Always", "r/p@sha256:1")


def test_the_image_goes_wherever_the_same_one_is_named() -> None:
    """A migration in an init container and a nightly job of the application run the commit that is deployed, too."""
    app, other = {"name": "app", "image": "x"}, {"name": "other", "image": "z"}
    deployment = _with({"initContainers": [app | {"name": "migrate"}, other]})
    nightly, job = _cron({"containers": [other, app]}), _cron({"containers": [app]})
    job |= {"kind": "Job", "spec": job["spec"]["jobTemplate"]["spec"]}
    rendered = render(deployment, nightly, job, container="web")
    images = [[one["image"] for one in containers_of(pod_spec(document) or {})] for document in rendered]
    built = "infraaudit/p:1"
    assert images == [[built, "z", built, "y"], ["z", built], [built]]


def _with(change: dict, kind: str = "spec") -> dict:
    changed = copy.deepcopy(DEPLOYMENT)
    changed["spec"]["template"]["spec"] |= change  # type: ignore[index]
    return changed


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"apiVersion": "v1", "kind": "ClusterRoleBinding", "metadata": {"name": "x"}}, "kind ClusterRoleBinding"),
        (SERVICE | {"metadata": {"name": "x", "namespace": "kube-system"}}, "namespace kube-system"),
        (_with({"hostNetwork": True}), "hostNetwork"),
        (_with({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}), "hostPath"),
        (
            _with({"containers": [{"name": "c", "securityContext": {"privileged": True}}]}),
            "securityContext.privileged is not allowed",
        ),
        (
            _with({"initContainers": [{"name": "c", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}),
            "SYS_ADMIN",
        ),
        ({"kind": "Service"}, "is no Kubernetes object"),
        ("just a text", "is no Kubernetes object"),
        ({"apiVersion": 1, "kind": "Service", "metadata": {"name": "x"}}, "must be texts"),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": []}, "spec.template.spec"),
    ],
)
def test_what_a_commit_may_not_bring_is_refused_with_its_file(document: object, reason: str) -> None:
    with pytest.raises(ManifestError, match=r"1\.yaml") as caught:
        render(DEPLOYMENT, document)
    assert reason in str(caught.value)


def test_manifests_without_a_workload_or_the_container_are_refused() -> None:
    with pytest.raises(ManifestError, match="nothing would run the image"):
        render(SERVICE)
    with pytest.raises(ManifestError, match="container named 'other'"):
        render(DEPLOYMENT, container="other")


def _cron(spec: dict) -> dict:
    job = {"jobTemplate": {"spec": {"template": {"spec": spec}}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"}, "spec": job}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (_cron({"containers": [{"name": "c", "securityContext": {"privileged": True}}]}), "securityContext.privileged is not allowed"),
        (_with({"serviceAccountName": "infraaudit"}), "serviceAccountName infraaudit"),
        (_with({"volumes": [{"name": "v", "nfs": {"server": "x"}}]}), "uses nfs"),
        (_with({"containers": [{"name": "c", "ports": [{"hostPort": 80}]}]}), "hostPort"),
        (_with({"containers": {"name": "c"}}), "must be a list of containers"),
        (SERVICE | {"spec": {"externalIPs": ["10.0.0.1"]}}, "externalIPs"),
        (SERVICE | {"apiVersion": "serving.example/v1"}, "kind Service of serving.example/v1"),
        (SERVICE | {"metadata": {"name": "x", "labels": ["a"]}}, "metadata.labels must be a mapping"),
        (
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "type": "kubernetes.io/service-account-token"},
            "ServiceAccount's token",
        ),
        (DEPLOYMENT, "is there twice"),
    ],
)  # fmt: skip
def test_ways_around_the_policy_are_closed(document: object, reason: str) -> None:
    with pytest.raises(ManifestError, match=r"1\.yaml") as caught:
        render(DEPLOYMENT, document)
    assert reason in str(caught.value)


def test_an_account_that_the_manifests_bring_may_be_used() -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mine"}}
    assert [document["kind"] for document in render(_with({"serviceAccountName": "mine"}), account)] == [
        "ServiceAccount",
        "Deployment",
    ]


def test_a_database_beside_the_application_never_gets_its_image() -> None:
    database = copy.deepcopy(DEPLOYMENT) | {"kind": "StatefulSet"}
    database["spec"]["template"]["spec"]["containers"] = [{"name": "db", "image": "postgres"}]  # type: ignore[index]
    with pytest.raises(ManifestError, match="run different images: web .*db .postgres.*Set `container`"):
        render(DEPLOYMENT, database)
    _, stateful = render(DEPLOYMENT, database, container="web")
    assert stateful["spec"]["template"]["spec"]["containers"][0]["image"] == "postgres"


_WORDS = st.sampled_from(
    ["spec", "template", "metadata", "labels", "containers", "initContainers", "volumes", "securityContext", "add",
     "capabilities", "name", "image", "ports", "jobTemplate", "serviceAccountName"]
)  # fmt: skip
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(
    spec=json_like, template=json_like, metadata=json_like, kind=st.sampled_from(["Deployment", "CronJob", "Service"])
)
def test_no_shape_of_a_manifest_breaks_the_policy(spec: object, template: object, metadata: object, kind: str) -> None:
    api = {"Deployment": "apps/v1", "CronJob": "batch/v1", "Service": "v1"}[kind]
    strange = {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "labels": metadata}}
    for inner in (spec, {"template": template}, {"template": {"metadata": metadata, "spec": spec}}):
        with contextlib.suppress(ManifestError):
            render(strange | {"spec": inner})
            render(DEPLOYMENT, strange | {"spec": inner})
