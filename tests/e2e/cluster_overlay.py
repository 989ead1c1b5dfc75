"""A kustomization over configs/kubernetes/infraaudit, as a user writes one, with patches for what the test cluster lacks.

It has no DNS, no storage class, no certificate authority beside its tokens, and an older policy API: the patches give
addresses of names, a folder of the node, and a volume with token and authority.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests import ROOT

BASE = ROOT / "configs/kubernetes/infraaudit"
AUTHORITY = "test-ca"
"""The ConfigMap of the cluster's certificate authority."""
WITH_TOKEN = ("webserver", "daemon", "run")
"""Whose ServiceAccounts speak to the cluster's API; each token is in a Secret: see `token_of`."""
_TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"
_POD = "/spec/template/spec"
_LEAST = {"cpu": "10m", "memory": "100Mi"}
"""What a pod requests here, so that all of them find room on one small node."""


def write_overlay(
    folder: Path,
    namespace: str,
    image: str,
    environment: Mapping[str, str],
    project: Mapping[str, Any],
    addresses: Mapping[str, str],
    at_once: int,
) -> None:
    """Write the folder that `kubectl apply -k` is given.

    ``image`` is by digest; ``addresses`` are those of our Services, by name; ``at_once`` is max_concurrent_runs. The
    state is kept in ``folder.parent / "state"`` of the node.
    """
    shutil.copytree(BASE, folder / "base")
    _write(folder / "projects.yaml", {"projects": [project]})
    _write(folder / "dagster.yaml", _instance(at_once))
    _write(folder / "volume.yaml", _volume(namespace, folder.parent / "state"))
    name, _, digest = image.partition("@")
    literals = [f"{key}={value}" for key, value in {"INFRAAUDIT_IMAGE": image, **environment}.items()]
    aliases = [{"ip": address, "hostnames": [name]} for name, address in addresses.items()]
    kustomization = {
        "resources": ["base", "volume.yaml"],
        "namespace": namespace,
        "images": [{"name": "infraaudit/pipeline", "newName": name, "digest": digest}],
        "generatorOptions": {"disableNameSuffixHash": True},
        "configMapGenerator": [
            {"name": "infraaudit-environment", "behavior": "merge", "literals": literals},
            {"name": "infraaudit-dagster", "behavior": "merge", "files": ["dagster.yaml"]},
            {"name": "infraaudit-projects", "behavior": "merge", "files": ["projects.yaml"]},
        ],
        "patches": [
            _patch("PodDisruptionBudget", [("replace", "/apiVersion", "policy/v1beta1")]),
            _patch("PersistentVolumeClaim", [("add", "/spec/storageClassName", ""), ("add", "/spec/volumeName", namespace)]),
            _patch("Deployment", [("add", f"{_POD}/hostAliases", aliases),
                                  ("replace", f"{_POD}/containers/0/resources/requests", _LEAST)]),
            *(_patch("Deployment", _with_token(role), f"infraaudit-{role}") for role in ("webserver", "daemon")),
        ],
    }  # fmt: skip
    _write(folder / "kustomization.yaml", kustomization)


def token_of(role: str) -> dict[str, Any]:
    """The Secret that the cluster fills with the token of a role's ServiceAccount."""
    account = {"kubernetes.io/service-account.name": f"infraaudit-{role}"}
    metadata = {"name": f"infraaudit-{role}-token", "annotations": account}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": metadata}


def _instance(at_once: int) -> dict[str, Any]:
    instance: dict[str, Any] = yaml.safe_load((BASE / "dagster.yaml").read_text())
    launcher = instance["run_launcher"]["config"]
    volume, mount = _account("run")
    launcher["volumes"].append(volume)
    launcher["volume_mounts"].append(mount)
    launcher["resources"]["requests"] = _LEAST
    instance["concurrency"]["runs"]["max_concurrent_runs"] = at_once
    return instance


def _account(role: str) -> tuple[dict[str, Any], dict[str, Any]]:
    items = [{"key": key, "path": key} for key in ("token", "namespace")]
    secret = {"name": f"infraaudit-{role}-token", "items": items}
    volume = {"name": "account", "projected": {"sources": [{"secret": secret}, {"configMap": {"name": AUTHORITY}}]}}
    return volume, {"name": "account", "mountPath": _TOKENS, "readOnly": True}


def _with_token(role: str) -> list[tuple[str, str, Any]]:
    volume, mount = _account(role)
    return [("add", f"{_POD}/volumes/-", volume), ("add", f"{_POD}/containers/0/volumeMounts/-", mount)]


def _volume(namespace: str, state: Path) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace},
        "spec": {"capacity": {"storage": "50Gi"}, "accessModes": ["ReadWriteMany"], "storageClassName": "",
                 "hostPath": {"path": str(state)}, "claimRef": {"namespace": namespace, "name": "infraaudit-state"}},
    }  # fmt: skip


def _patch(kind: str, operations: Sequence[tuple[str, str, Any]], name: str = ".*") -> dict[str, Any]:
    """A JSON patch of every object of a kind whose name matches."""
    steps = [{"op": op, "path": path, "value": value} for op, path, value in operations]
    return {"target": {"kind": kind, "name": name}, "patch": json.dumps(steps)}


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1))
