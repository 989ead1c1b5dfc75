import copy

import pytest

from infraaudit_assets.domain.errors import ManifestError
from infraaudit_assets.domain.manifests import render_manifests

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
        pairs,  # type: ignore[arg-type]
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
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {"infraaudit/commit": "a" * 40}
    assert {document["metadata"]["namespace"] for document in (service, deployment)} == {"shop"}


def test_the_named_container_gets_the_image() -> None:
    (deployment,) = render(DEPLOYMENT, container="side", image="r/p@sha256:1")
    web, side = deployment["spec"]["template"]["spec"]["containers"]
    assert (web["image"], web["imagePullPolicy"], side["image"]) == ("x", "Always", "r/p@sha256:1")


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
        (_with({"containers": [{"name": "c", "securityContext": {"privileged": True}}]}), "asks for privileges"),
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
