"""Our own Dockerfile and manifests pass Checkov; every suppression has its reason."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT

KUBERNETES = ROOT / "configs" / "kubernetes"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reports() -> list[dict[str, Any]]:
    return [scan("docker", "dockerfile"), scan("configs/kubernetes", "kubernetes")]


def scan(folder: str, framework: str) -> dict[str, Any]:
    program = str(Path(sys.executable).with_name("checkov"))
    words = ["--directory", folder, "--framework", framework, "--output", "json", "--skip-download"]
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return dict(json.loads(done.stdout))


def test_nothing_fails_and_every_file_was_read(reports: list[dict[str, Any]]) -> None:
    failed = [(f["check_id"], f["file_path"], f["resource"]) for r in reports for f in r["results"]["failed_checks"]]
    assert failed == []
    assert {report["check_type"] for report in reports} == {"dockerfile", "kubernetes"}
    read = {Path(check["file_path"]).name for report in reports for check in report["results"]["passed_checks"]}
    workloads = {f"{role}.yaml" for role in ("code", "webserver", "daemon", "service", "watch")}
    assert {"Dockerfile", "role.yaml", "accounts.yaml", *workloads} <= read


def test_every_suppression_has_a_reason(reports: list[dict[str, Any]]) -> None:
    skipped = [check for report in reports for check in report["results"]["skipped_checks"]]
    assert skipped
    assert [c["check_id"] for c in skipped if len(c["check_result"].get("suppress_comment") or "") < 30] == []


@pytest.fixture(scope="module")
def rendered() -> list[dict[str, Any]]:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl, which renders kustomize's bases, is not installed")
    words = ["kubectl", "kustomize", str(KUBERNETES / "infraaudit")]
    return list(yaml.safe_load_all(subprocess.run(words, check=True, capture_output=True, text=True).stdout))


def test_a_run_has_what_its_roles_have(rendered: list[dict[str, Any]]) -> None:
    instance = yaml.safe_load((ROOT / "configs/dagster/dagster-kubernetes.yaml").read_text())
    launcher = instance["run_launcher"]["config"]
    named = {(document["kind"], document["metadata"]["name"]) for document in rendered}
    (daemon,) = (d for d in rendered if d["kind"] == "Deployment" and d["metadata"]["name"] == "infraaudit-daemon")
    pod = daemon["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    of_run = {mount["name"]: mount["mountPath"] for mount in launcher["volume_mounts"]}
    assert of_run | {"dagster": launcher["dagster_home"]} == mounts
    assert ("ServiceAccount", launcher["service_account_name"]) in named
    assert ("ConfigMap", launcher["instance_config_map"]) in named
    assert {("ConfigMap", name) for name in launcher["env_config_maps"]} <= named
    (environment,) = (d["data"] for d in rendered if d["metadata"]["name"] == "infraaudit-environment")
    assert environment["INFRAAUDIT_IMAGE"] == pod["containers"][0]["image"]


def test_the_instances_watch_their_runs() -> None:
    for name in ("dagster", "dagster-compose", "dagster-kubernetes"):
        instance = yaml.safe_load((ROOT / "configs" / "dagster" / f"{name}.yaml").read_text())
        assert instance["run_monitoring"]["enabled"] is True, name
        assert instance["run_monitoring"]["max_runtime_seconds"] > 0, name
        assert instance["run_retries"] == {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False}
        assert instance["telemetry"] == instance["nux"] == {"enabled": False}, name
