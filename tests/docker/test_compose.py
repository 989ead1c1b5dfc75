"""docker/compose.yaml and the instance file it uses agree with each other and with what is in the repository."""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from infraaudit_assets.settings import Settings
from tests import ROOT
from tests.conftest import require
from tests.e2e.documented import documented

DOCKER = ROOT / "docker"
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
    made_by_the_user = {"./secrets/infraaudit"}
    assert mounted > made_by_the_user
    assert [path for path in mounted - made_by_the_user if not (DOCKER / path).exists()] == []


def test_temporary_files_have_a_limit(compose: dict[str, Any]) -> None:
    assert all(role["tmpfs"] == ["/tmp:size=256m"] for role in roles(compose).values())
    for file in (CONFIGS / "kubernetes" / "infraaudit").glob("*.yaml"):
        assert not re.search(r"emptyDir: *(\{\}|$)", file.read_text(), re.MULTILINE), file.name


def test_the_readme_says_what_the_tests_run() -> None:
    """tests/e2e/test_compose_installation.py runs the blocks of docs/operations.md."""
    start = documented("docker compose -f docker/compose.yaml up --build --wait")
    assert documented("umask 022", DOCKER.parent / "README.md") == "\n".join([documented("umask 022"), start])


def test_no_secret_is_written_into_the_file(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|TOKEN|SECRET", key) or key.endswith(("_FILE", "_FOLDER")), (
                f"{name}: {key}={value}"
            )
        assert "://" not in str(service.get("environment")) or "infraaudit:" not in str(service["environment"])


def test_no_secret_gets_into_what_is_built() -> None:
    kept = {"docker/secrets", "docker/.env"}
    assert kept <= set((DOCKER.parent / ".dockerignore").read_text().split())
    wheel = tomllib.loads((DOCKER.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "docker/install-parts.sh" in wheel["force-include"]
    assert not {"docker", *kept} & set(wheel["force-include"])


def test_our_roles_are_confined(compose: dict[str, Any]) -> None:
    assert set(roles(compose)) == {"configuration", "code", "webserver", "ui", "daemon", "service"}
    for name, role in roles(compose).items():
        assert role["read_only"] is True, name
        assert role["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in role["security_opt"], name


def test_the_ui_is_reached_through_its_login_alone(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert "webserver" not in published and published["ui"] == ["127.0.0.1:${UI_PORT:-3000}:3080"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_only_who_needs_the_engine_has_its_socket(compose: dict[str, Any]) -> None:
    having = {name for name, role in compose["services"].items() if "/var/run/docker.sock" in str(role.get("volumes"))}
    assert having == {"configuration", "daemon", "webserver"}


def test_a_run_is_given_and_denied_what_its_daemon_is(compose: dict[str, Any], launcher: dict[str, Any]) -> None:
    daemon, container = compose["services"]["daemon"], launcher["container_kwargs"]
    assert set(daemon["environment"]) - set(launcher["env_vars"]) == {
        "INFRAAUDIT_SERVICE_HOST",
        "INFRAAUDIT_POLL_SECONDS",
    }
    assert set(launcher["env_vars"]) <= set(daemon["environment"])
    assert [volume.removeprefix("@COMPOSE_PROJECT@_") for volume in container["volumes"]] == daemon["volumes"]
    for limit in ("init", "read_only", "cap_drop", "security_opt"):
        assert container[limit] == daemon[limit], limit


def test_the_service_takes_what_is_set_for_pruning_and_watching() -> None:
    text = (DOCKER / "compose.yaml").read_text()

    def given(**settings: str) -> list[str]:
        done = configured(text, DOCKER_GID="7", **settings)
        assert done.returncode == 0, done.stderr
        service = yaml.safe_load(done.stdout)["services"]["service"]["environment"]
        names = ("INFRAAUDIT_PRUNE_DAYS", "INFRAAUDIT_PRUNE_KEEP", "INFRAAUDIT_WATCH_MINUTES")
        assert service["INFRAAUDIT_PROJECTS"], "and all that the others are given"
        return [service[name] for name in names]

    assert given(INFRAAUDIT_PRUNE_DAYS="0", INFRAAUDIT_PRUNE_KEEP="9", INFRAAUDIT_WATCH_MINUTES="7") == ["0", "9", "7"]
    ours = (Settings.model_fields[name].default for name in ("prune_days", "prune_keep", "watch_minutes"))
    assert given() == [str(default) for default in ours]


def test_who_waits_waits_for_something_with_a_health_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "test" in services[other]["healthcheck"], f"{name}: {other}"


def configured(file: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A file as compose itself resolves it, with the settings that docker/.env would have."""
    require("compose")
    words = [
        "docker",
        "compose",
        "--file",
        "-",
        "--project-directory",
        str(DOCKER),
        "--env-file",
        "/dev/null",
        "config",
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | settings
    return subprocess.run(words, input=file, capture_output=True, text=True, env=environment)


def test_compose_itself_accepts_the_file(compose: dict[str, Any]) -> None:
    done = configured((DOCKER / "compose.yaml").read_text(), DOCKER_GID="7", COMPOSE_PROFILES="grafana")
    assert done.returncode == 0, done.stderr
    understood = yaml.safe_load(done.stdout)
    assert set(understood["services"]) == set(compose["services"])
    for role in roles(compose):
        assert understood["services"][role]["environment"]["INFRAAUDIT_COMPOSE_PROJECT"] == "infraaudit"
    assert understood["services"]["daemon"]["group_add"] == ["7"]


def test_two_installations_on_one_host_share_nothing(launcher: dict[str, Any]) -> None:
    file = (DOCKER / "compose.yaml").read_text()
    done = configured(file, DOCKER_GID="7", COMPOSE_PROJECT_NAME="other", UI_PORT="4000")
    understood = yaml.safe_load(done.stdout)
    named = {volume["name"] for volume in understood["volumes"].values()} | {understood["networks"]["default"]["name"]}
    assert all(name.startswith("other_") for name in named)
    of_runs = [launcher["network"], *(volume.split(":")[0] for volume in launcher["container_kwargs"]["volumes"])]
    assert {name.replace("@COMPOSE_PROJECT@", "other") for name in of_runs if "@" in name} <= named
    assert not any("container_name" in service for service in understood["services"].values())


def test_without_the_group_of_the_socket_compose_says_how_to_find_it() -> None:
    done = configured((DOCKER / "compose.yaml").read_text())
    assert done.returncode != 0
    assert "echo DOCKER_GID=$(stat -c %g /var/run/docker.sock) >> docker/.env" in done.stderr


def test_a_field_that_compose_does_not_know_is_refused() -> None:
    assert configured("services: {a: {image: b, imag: c}}").returncode != 0


def test_prometheus_accepts_its_file() -> None:
    require("promtool")
    subprocess.run(["promtool", "check", "config", CONFIGS / "prometheus" / "prometheus-compose.yml"], check=True)


def test_prometheus_is_one_that_the_monitoring_asset_can_use(compose: dict[str, Any]) -> None:
    assert roles(compose)["code"]["environment"]["INFRAAUDIT_PROMETHEUS_URL"] == "http://prometheus:9090"
    assert "--web.enable-lifecycle" in compose["services"]["prometheus"]["command"]
    jobs = [
        yaml.safe_load((CONFIGS / "prometheus" / f"prometheus{name}.yml").read_text())["scrape_configs"][1]
        for name in ("", "-compose")
    ]
    assert [job["job_name"] for job in jobs] == ["deployed"] * 2
    assert jobs[0]["relabel_configs"] == jobs[1]["relabel_configs"]


def test_alertmanager_accepts_its_file(tmp_path: Path) -> None:
    require("amtool")
    text = (CONFIGS / "prometheus" / "alertmanager.yml").read_text()
    assert "url_file: /run/secrets/alert_webhook" in text
    # Debian's is 0.25; the key came with 0.26, and compose.yaml has a newer one.
    (tmp_path / "alertmanager.yml").write_text(re.sub("url_file: .*", "url: http://example.org", text))
    subprocess.run(["amtool", "check-config", tmp_path / "alertmanager.yml"], check=True)


def test_grafana_gets_our_dashboard_and_its_data_and_leaves_alerts_to_prometheus(compose: dict[str, Any]) -> None:
    grafana = compose["services"]["grafana"]
    mounted = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    provider = yaml.safe_load((CONFIGS / "grafana" / "dashboards" / "infraaudit.yaml").read_text())["providers"][0]
    folder = provider["options"]["path"]
    assert mounted["../configs/prometheus/grafana_dashboard.json"].startswith(f"{folder}/")
    files = {path.removeprefix("../configs/grafana/"): place for path, place in mounted.items() if "/grafana/" in path}
    assert all(place.startswith("/etc/grafana/provisioning/") for place in files.values())
    assert {Path(place).parent.name for place in files.values()} == {"datasources", "dashboards"}
    read = "".join((CONFIGS / "grafana" / path).read_text().split("apiVersion")[1] for path in files)
    named = set(re.findall(r"\$(INFRAAUDIT_\w+)", read))
    assert {name: grafana["environment"][name] for name in named} == {
        "INFRAAUDIT_PROMETHEUS_URL": "http://prometheus:9090",
        "INFRAAUDIT_ALERTMANAGER_URL": "http://alertmanager:9093",
    }
