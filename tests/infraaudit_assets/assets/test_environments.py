"""A project of several environments: its assets, checks, jobs and sensors, as Dagster resolves them."""

from pathlib import Path

import dagster as dg
import pytest

from infraaudit_assets.assets import build_project_checks
from infraaudit_assets.connections import build_resources
from infraaudit_assets.definitions import build_definitions
from infraaudit_assets.settings import Settings
from infraaudit_domain.projects import Environment, Project

STAGES = {"commit", "docker_image", "test_results", "scan_report", "deployment"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> dg.RepositoryDefinition:
    environments = (Environment("staging"), Environment("pre-live"), Environment("production", promote_after=60))
    project = Project("shop-a", "/nowhere", environments=environments)
    home: Path = tmp_path_factory.mktemp("home")
    return build_definitions((project,), Settings(home=home)).get_repository_def()


def names(repository: dg.RepositoryDefinition, job: str) -> set[str]:
    found = repository.get_job(job).asset_layer.selected_asset_keys
    return {key.path[-1] for key in found}


def checks(repository: dg.RepositoryDefinition, job: str) -> set[tuple[str, str]]:
    found = repository.get_job(job).asset_layer.asset_graph.asset_check_keys
    return {(key.asset_key.path[-1], key.name) for key in found}


def test_each_environment_is_an_asset_below_the_one_before(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    parents = {
        key.path[-1]: {parent.path[-1] for parent in graph.get(key).parent_keys} for key in graph.get_all_asset_keys()
    }
    assert parents["deployment"] == {"docker_image", "test_results", "scan_report"}
    assert parents["deployment_pre_live"] == {"deployment"}
    assert parents["deployment_production"] == {"deployment_pre_live"}


def test_a_commit_goes_to_the_first_environment_alone(repository: dg.RepositoryDefinition) -> None:
    found = names(repository, "shop_a_pipeline")
    assert found >= STAGES and not {"deployment_pre_live", "deployment_production"} & found
    assert not [name for _, name in checks(repository, "shop_a_pipeline") if name == "no_drift"]


@pytest.mark.parametrize("environment", ["pre_live", "production"])
def test_a_promotion_is_a_job_of_its_own_with_its_gate(repository: dg.RepositoryDefinition, environment: str) -> None:
    assert names(repository, f"shop_a_to_{environment}") == {f"deployment_{environment}"}
    assert checks(repository, f"shop_a_to_{environment}") == {(f"deployment_{environment}", "release_gate")}


def test_watching_starts_no_runs_and_is_promoted_from_where_that_is_asked_for(
    repository: dg.RepositoryDefinition,
) -> None:
    assert not repository.schedule_defs
    keys = {(key.asset_key.path[-1], key.name) for key in repository.asset_graph.asset_check_keys}
    looked_at = {asset for asset, name in keys if name == "no_drift"}
    assert looked_at == {"deployment", "deployment_pre_live", "deployment_production"}
    assert "shop_a_to_production" in {sensor.name for sensor in repository.sensor_defs}
    assert "shop_a_to_pre_live" not in {sensor.name for sensor in repository.sensor_defs}


def test_a_person_looks_at_once_by_executing_the_check(tmp_path: Path) -> None:
    current = Settings(home=tmp_path, target="none")
    project = Project("shop", "/nowhere", environments=(Environment("staging"), Environment("production")))
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            build_project_checks(project), instance=instance, resources=build_resources(current),
            selection=dg.AssetSelection.all_asset_checks(),
        )  # fmt: skip
    found = done.get_asset_check_evaluations()
    assert sorted((*check.asset_key.path, check.check_name) for check in found) == [
        ("shop", asset, check)
        for asset in ("deployment", "deployment_production")
        for check in ("live_still_passes", "no_drift")
    ]
    assert {(check.passed, check.description) for check in found} == {(True, "Nothing is deployed yet.")}
