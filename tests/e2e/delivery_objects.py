"""A namespace for deliveries, emptied after each test, and the objects that they bring."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import require
from tests.e2e.clusters import Namespace, kubectl, manifests, new_namespace


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    require("kubernetes")
    with new_namespace(tmp_path_factory.mktemp("kinds")) as found:
        yield found


@pytest.fixture
def namespace(shared: Namespace, tmp_path: Path) -> Iterator[Namespace]:
    yield Namespace(shared.name, shared.kubeconfig, tmp_path)
    kinds = "deployments,statefulsets,jobs,services,horizontalpodautoscalers,configmaps,pods"
    kubectl("--namespace", shared.name, "delete", kinds, "--all", "--force", "--grace-period=0")


def broken(deployment: dict[str, Any]) -> dict[str, Any]:
    """The same with a command that is not there, which is seen at once."""
    deployment["spec"]["template"]["spec"]["containers"][0]["command"] = ["/not/there"]
    return deployment


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def named(name: str, program: str, **changes: Any) -> dict[str, Any]:
    """A Deployment beside the one called web."""
    deployment = json.loads(json.dumps(manifests(program, **changes)[0]).replace('"app": "web"', f'"app": "{name}"'))
    return deployment | {"metadata": {"name": name}}


def job(*command: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "job", "image": "replaced", "command": list(command)}
    pod = {"containers": [container], "restartPolicy": "Never", "automountServiceAccountToken": False}
    template = {"template": {"spec": pod | {"terminationGracePeriodSeconds": 0}}}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
        "spec": {"backoffLimit": 0, **spec, **template},
    }  # fmt: skip


def hook(when: str, name: str, *command: str) -> dict[str, Any]:
    return job(*command) | {"metadata": {"name": name, "annotations": {"infraaudit.io/hook": when}}}
