"""The assets of a project without tests: let through, said everywhere, and counted as untested."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from infraaudit.pages.audit.contents import commit_of
from infraaudit.pages.audit.links import ServiceLinks
from infraaudit.questions.overview import overview
from infraaudit_assets.assets import build_project_assets
from infraaudit_assets.commands.summary import commit_row, print_summary
from infraaudit_assets.connections import build_resources
from infraaudit_assets.settings import Settings
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.test_plans import BY_CONFIGURATION, NoTests, TestCommand
from infraaudit_domain.projects import Project
from resources.dagster.partitions import commits_of
from resources.dagster.resources import GitResource
from resources.history import open_history
from resources.history.queries.live_commits import live_commit_rows
from resources.history.stored_line import StoredLine
from tests.conftest import Repository

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Shop:
    """One commit of a project, taken through assets that need no engine."""

    def __init__(self, project: Project, home: Path) -> None:
        self.project, self.settings = project, Settings(home=home, target="none")
        self.history = open_history(self.settings.history_url)
        self.history.migrate()
        self.resources = build_resources(self.settings)
        git = self.resources["git"]
        assert isinstance(git, GitResource)
        self.mirror = git.connect(project)
        self.mirror.fetch()
        self.sha = self.mirror.branches()["main"]
        self.history.record_project(project)
        self.history.record_commit(project.name, self.mirror.commit(self.sha))

    def materialize(self, name: str) -> dg.ExecuteInProcessResult:
        assets = [one for one in build_project_assets(self.project) if one.key.path[-1] == name]
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions(commits_of(self.project).name or "", [self.sha])
            return dg.materialize(
                assets, instance=instance, partition_key=self.sha, resources=self.resources, raise_on_error=False
            )


@pytest.fixture
def untested(repository: Repository) -> Project:
    repository.write({"README.md": "a shop\n"}, "a commit without tests")
    return Project("shop", str(repository.path), tests=NoTests())


def test_a_commit_without_tests_is_let_through_and_shown_as_such(
    untested: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Shop(untested, tmp_path / "home")
    done = shop.materialize("test_results")
    (check,) = done.get_asset_check_evaluations()
    assert done.success and check.passed and "no tests" in str(check.metadata["notes"].value)
    assert shop.history.test_run("shop", shop.sha) is None
    (row,) = overview(shop.history, shop.mirror, "shop", "production", [shop.sha])
    assert row.reasons == {"test_results": BY_CONFIGURATION} and commit_row(row, "r")["tests"] == "no tests"
    print_summary([row])
    assert "no tests" in capsys.readouterr().out
    line = StoredLine(shop.history, "shop", "main", [shop.sha])
    page = commit_of(line, shop.sha, ServiceLinks("shop"))
    assert page is not None and page["without_tests"] and not page["tests"]
    shop.history.record_deployment(
        Deployment("shop", "production", shop.sha, "container", Outcome.DEPLOYED, NOW, NOW, image="i")
    )
    (live,) = live_commit_rows(line, "production", NOW + timedelta(hours=2))
    assert (live["tests"], live["untested_hours"]) == ("none", 2.0)


@pytest.mark.parametrize("plan", [NoTests(), None, TestCommand(("true",))])
def test_the_deployments_gate_asks_the_configuration_itself(
    untested: Project, tmp_path: Path, plan: NoTests | TestCommand | None
) -> None:
    shop = Shop(replace(untested, tests=plan), tmp_path / "home")
    done = shop.materialize("deployment")
    (check,) = done.get_asset_check_evaluations()
    words = "its tests have not been run"
    assert not check.passed and (words in (check.description or "")) is (plan != NoTests())
    assert "it has not been scanned" in (check.description or "")
