"""A project that is only audited builds nothing, and says so in the commit's record."""

from pathlib import Path

import dagster as dg
import pytest

from infraaudit_assets.assets import build_project_assets
from infraaudit_assets.connections import build_resources
from infraaudit_assets.settings import Settings
from infraaudit_domain.projects import Project
from resources.dagster.partitions import commits_of
from resources.history import open_history

SHA = "a" * 40


@pytest.mark.slow
def test_what_is_only_audited_is_not_built(tmp_path: Path) -> None:
    current = Settings(home=tmp_path)
    project = Project("shop", "/nowhere", audit_only=True)
    (image,) = (one for one in build_project_assets(project) if one.key.path[-1] == "docker_image")
    open_history(current.history_url).migrate()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(commits_of(project).name or "", [SHA])
        done = dg.materialize([image], instance=instance, partition_key=SHA, resources=build_resources(current))
    assert done.success and not done.get_asset_materialization_events()
