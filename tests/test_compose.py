"""docker/compose.yaml and the instance file it uses agree with each other and with what is in the repository."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).resolve().parent.parent / "docker"
CONFIGS = DOCKER.parent / "configs"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DOCKER / "compose.yaml").read_text()))


@pytest.fixture(scope="module")
def launcher() -> dict[str, Any]:
    return dict(yaml.safe_load((CONFIGS / "dagster" / "dagster-compose.yaml").read_text())["run_launcher"]["config"])


def roles(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: role for name, role in compose["services"].items() if "infraaudit/pipeline" in role["image"]}


def test_every_mounted_file_is_in_the_repository(compose: dict[str, Any]) -> None:
    mounted = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith(".")
    }
    assert mounted
    assert [path for path in mounted if not (DOCKER / path).exists()] == []


def test_no_secret_is_written_into_the_file(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|TOKEN|SECRET", key) or key.endswith("_FILE"), f"{name}: {key}={value}"
        assert "://" not in str(service.get("environment")) or "infraaudit:" not in str(service["environment"])


def test_our_roles_are_confined(compose: dict[str, Any]) -> None:
    assert set(roles(compose)) == {"projects", "code", "webserver", "daemon", "service"}
    for name, role in roles(compose).items():
        assert role["read_only"] is True, name
        assert role["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in role["security_opt"], name


def test_only_who_needs_the_engine_has_its_socket(compose: dict[str, Any]) -> None:
    having = {name for name, role in compose["services"].items() if "/var/run/docker.sock" in str(role.get("volumes"))}
    assert having == {"daemon", "webserver"}


def test_a_run_gets_what_its_daemon_has(compose: dict[str, Any], launcher: dict[str, Any]) -> None:
    daemon = compose["services"]["daemon"]["environment"]
    known = {name.removesuffix("_FILE") for name in daemon}
    assert set(launcher["env_vars"]) <= known
    mounted = [volume.split(":")[0] for volume in launcher["container_kwargs"]["volumes"]]
    named = {volume["name"] for volume in compose["volumes"].values() if volume}
    assert named <= set(mounted)
    assert daemon["INFRAAUDIT_NETWORK"] == compose["networks"]["infraaudit"]["name"]


def test_who_waits_waits_for_something_with_a_health_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "test" in services[other]["healthcheck"], f"{name}: {other}"


def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    words = ["docker", "compose", "--file", str(DOCKER / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
