"""Objects with one thing changed, and why they are refused."""

import copy
from typing import Any

from infraaudit_domain.errors import ManifestError
from infraaudit_domain.kubernetes.manifest_policy import KINDS, ManifestPolicy
from infraaudit_domain.kubernetes.manifests import render_manifests

CONTAINER: dict[str, Any] = {"name": "web", "image": "web:1"}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
    "spec": {"selector": {"matchLabels": {"app": "web"}},
             "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}}},
}  # fmt: skip
EVERY_KIND = KINDS | {"Pod", "PodTemplate", "ReplicationController", "apps/ReplicaSet", "argoproj.io/Rollout"}


def refused(*documents: dict[str, Any], **policy: Any) -> str:
    """Why these manifests are refused; empty where they are not."""
    asked = ManifestPolicy(kinds=EVERY_KIND, **policy)
    try:
        render_manifests(
            [("a.yaml", document) for document in documents],
            project="shop", sha="a" * 40, environment="production", namespace="shop", image="built:1", policy=asked,
        )  # fmt: skip
    except ManifestError as error:
        return str(error)
    return ""


def with_pod(**change: Any) -> dict[str, Any]:
    document = copy.deepcopy(DEPLOYMENT)
    document["spec"]["template"]["spec"] |= change
    return document


def with_container(**change: Any) -> dict[str, Any]:
    return with_pod(containers=[CONTAINER | change])


def secured(**change: Any) -> dict[str, Any]:
    return with_container(securityContext=change)


def annotated(**annotations: str) -> dict[str, Any]:
    document = copy.deepcopy(DEPLOYMENT)
    document["spec"]["template"]["metadata"]["annotations"] = annotations
    return document
