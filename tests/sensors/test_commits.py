"""The Git sensor over real repositories and a real instance: the runs that a tick requests."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent

from infraaudit_assets.assets import build_project_assets
from infraaudit_assets.connections import build_resources
from infraaudit_assets.jobs import build_jobs
from infraaudit_assets.settings import Settings
from infraaudit_domain.dagster_names import pipeline_name, run_key, run_tags
from infraaudit_domain.errors import ConfigurationError, RepositoryError
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from resources.configuration.projects import load_projects
from resources.dagster.run_queue import submit_forgotten
from resources.history import open_history
from resources.history.forge.statuses import newest_statuses
from resources.history.git_events import git_events
from sensors.commits import build_commit_sensor
from tests import ROOT
from tests.conftest import Repository
from tests.sensors.racing import create

SHIPPED = ROOT / "configs/dagster/dagster.yaml"


class Ticking:
    """Evaluates the sensor of a project again and again, as the daemon does."""

    def __init__(self, project: Project, folder: Path, instance: dg.DagsterInstance) -> None:
        self.project, self.folder, self.instance = project, folder, instance
        self.url = Settings(home=folder).history_url
        self.cursor: str | None = None
        jobs = build_jobs(project)
        sensor = build_commit_sensor(project, jobs, 30)
        self.resources = build_resources(Settings(home=folder))
        self.repository = dg.Definitions(
            assets=build_project_assets(project),
            jobs=jobs,
            sensors=[sensor],
            resources=self.resources,
        )
        self.sensor = sensor

    def tick(self) -> list[tuple[str | None, str | None]]:
        """The job and partition of each requested run."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.repository, sensor_name=self.sensor.name
        )
        result = self.sensor(context, **{name: self.resources[name] for name in ("git", "history")})
        assert isinstance(result, dg.SensorResult)
        self.skipped = result.skip_reason.skip_message if result.skip_reason else ""
        self.cursor = str(result.cursor)
        self.partitions = [
            key for request in result.dynamic_partitions_requests or () for key in request.partition_keys
        ]
        return [(request.job_name, request.partition_key) for request in result.run_requests or ()]

    def run(self, sha: str, branch: str, *events: str) -> dg.DagsterRun:
        """A queued run of a commit, to which some events then happened."""
        tags = run_tags(sha, branch) | {"dagster/partition": sha}
        job = pipeline_name(self.project)
        run = create(self.instance, run_key(self.project, sha), job, **tags)
        submit_forgotten(self.instance, "commits")
        for event in events:
            self.instance.report_dagster_event(DagsterEvent(event, job), run.run_id)
        return run

    def state_of(self, run: dg.DagsterRun) -> str:
        found = self.instance.get_run_by_id(run.run_id)
        assert found
        return found.status.value


@pytest.fixture
def ticking(repository: Repository, tmp_path: Path) -> Iterator[Ticking]:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster/dagster.yaml").write_text(SHIPPED.read_text())
    project = Project(
        "shop", str(repository.path), branches=("main", "feature"), supersede=True, paths_ignore=("*.md",)
    )
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        yield Ticking(project, tmp_path, instance)


def test_a_tick_asks_for_one_run_and_one_partition_a_commit(repository: Repository, ticking: Ticking) -> None:
    first = repository.write({"a": "1"}, "first")
    assert ticking.tick() == [("shop_pipeline", first)]
    docs = repository.write({"README.md": "text"}, "only text")
    skipped = repository.write({"a": "2"}, "later [skip ci]")
    assert ticking.tick() == [] and ticking.partitions == []
    assert ticking.skipped and docs[:12] in ticking.skipped and "[skip ci]" in ticking.skipped
    built = repository.write({"a": "3"}, "code")
    assert ticking.tick() == [("shop_pipeline", built)] and ticking.partitions == [built]
    assert ticking.tick() == [] and ticking.skipped == "No new commit."
    events = git_events(open_history(ticking.url), "shop")
    assert {(event.kind, event.after) for _, event in events} == {("skipped", docs), ("skipped", skipped)}


def test_an_unreachable_repository_fails_the_tick(repository: Repository, ticking: Ticking) -> None:
    repository.write({"a": "1"}, "first")
    ticking.tick()
    cursor = ticking.cursor
    new = repository.write({"a": "2"}, "second")
    repository.path.rename(repository.path.with_name("away"))
    with pytest.raises(RepositoryError, match="cannot be read"):
        ticking.tick()
    repository.path.with_name("away").rename(repository.path)
    assert ticking.cursor == cursor and ticking.tick() == [("shop_pipeline", new)]


def test_a_newer_commit_cancels_queued_runs_of_older_ones_of_its_branch(
    repository: Repository, ticking: Ticking
) -> None:
    base = repository.write({"a": "1"}, "base")
    running = ticking.run(base, "main", "PIPELINE_STARTING", "PIPELINE_START")
    repository.git("switch", "--quiet", "-c", "feature")
    other = ticking.run(repository.write({"b": "1"}, "on a branch"), "feature")
    repository.git("switch", "--quiet", "main")
    ticking.tick()
    older = [ticking.run(repository.write({"a": f"{n}"}, f"older {n}"), "main") for n in (2, 3)]
    newest = repository.write({"a": "4"}, "newest")
    assert ("shop_pipeline", newest) in ticking.tick()
    assert [ticking.state_of(run) for run in older] == ["CANCELED", "CANCELED"]
    assert [ticking.state_of(run) for run in (running, other)] == ["STARTED", "QUEUED"]
    superseded = [event for _, event in git_events(open_history(ticking.url), "shop") if event.kind == "superseded"]
    assert {(event.before, event.after) for event in superseded} == {
        (run.tags["dagster/partition"], newest) for run in older
    }


def test_the_forge_is_shown_which_commits_wait_and_which_gave_way(repository: Repository, ticking: Ticking) -> None:
    past = open_history(ticking.url)
    repository.write({"a": "1"}, "base")
    ticking.tick()
    assert newest_statuses(past, "shop", 9) == [], "it has no forge"
    object.__setattr__(ticking.project, "forge", Forge(ForgeKind.GITHUB, "https://api.github.com", "acme/shop"))
    older = repository.write({"a": "2"}, "older")
    ticking.tick()
    ticking.run(older, "main")
    newest = repository.write({"a": "3"}, "newest")
    ticking.tick()
    states = {(row["sha"], row["state"]) for row in newest_statuses(past, "shop", 9)}
    assert states == {(older, "error"), (newest, "pending")}
    object.__setattr__(ticking.project, "audit_only", True)
    audited = repository.write({"a": "4"}, "only audited")
    ticking.tick()
    shown = {row["context"] for row in newest_statuses(past, "shop", 9) if row["sha"] == audited}
    assert shown == {"infraaudit/shop/scan"}


def test_a_commit_that_reaches_the_deploy_branch_later_is_delivered(repository: Repository, ticking: Ticking) -> None:
    base = repository.write({"a": "1"}, "base")
    ticking.tick()
    ticking.run(base, "main", "PIPELINE_SUCCESS")
    repository.git("switch", "--quiet", "-c", "feature")
    built = repository.write({"a": "2"}, "on the branch")
    assert ticking.tick() == [("shop_pipeline", built)]
    run = ticking.run(built, "feature", "PIPELINE_STARTING", "PIPELINE_START")
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--ff-only", "feature")
    assert ticking.tick() == [] and ticking.tick() == []
    ticking.instance.report_dagster_event(DagsterEvent("PIPELINE_SUCCESS", run.job_name), run.run_id)
    assert ticking.tick() == [("shop_delivery", built)]
    assert ticking.tick() == []
    repository.git("reset", "--quiet", "--hard", base)
    assert ticking.tick() == []


def test_a_broken_project_shows_its_fault_and_stops_no_other(tmp_path: Path, repository: Repository) -> None:
    repository.write({"a": "1"}, "first")
    projects = tmp_path / "projects.yaml"
    projects.write_text(
        f"""
projects:
  - {{name: good, url: {repository.path}}}
  - {{name: broken, url: x, branch: main, environments: []}}
  - {{name: good, url: x}}
  - {{url: [1]}}
"""
    )
    good, broken, doubled, unnamed = load_projects(projects)
    assert (good.fault, doubled.name, unnamed.name) == ("", "project_3", "project_4")
    assert "projects[1].branch" in broken.fault and "projects[1].environments" in broken.fault
    assert "two projects are named good and good (" in doubled.fault and "projects[3].url" in unnamed.fault
    with dg.DagsterInstance.ephemeral() as instance:
        assert [job for job, _ in Ticking(good, tmp_path, instance).tick()] == ["good_pipeline"]
        with pytest.raises(ConfigurationError, match="branch"):
            Ticking(broken, tmp_path, instance).tick()
