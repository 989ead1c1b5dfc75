"""What Dagster learns of an installation: its UI shows it, and its database keeps it."""

import json

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value

from infraaudit_assets.definitions import build_definitions, concerned
from infraaudit_assets.settings import Settings
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.forge_address import Forge, ForgeKind
from resources.dagster.resources import GrafanaResource, HistoryResource, LogsResource, NotifierResource

SECRETS = {
    "INFRAAUDIT_NOTIFY": '["https://chat.example.org/hook-swordfish"]',
    "INFRAAUDIT_GRAFANA_TOKEN": "token-swordfish",
    "INFRAAUDIT_LOKI_URL": "https://user:swordfish@loki.example.org",
    "INFRAAUDIT_DATABASE_URL": "postgresql+psycopg2://user:swordfish@db.example.org/infraaudit",
}


@pytest.fixture
def definitions(monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return build_definitions((Project("shop", "https://example.org/shop.git"),), Settings())


def test_no_secret_is_in_what_dagster_stores_and_shows(definitions: dg.Definitions) -> None:
    snapshot = RepositorySnap.from_def(definitions.get_repository_def())
    known = serialize_value(snapshot) + "".join(
        serialize_value(job.get_job_snapshot()) for job in definitions.get_repository_def().get_all_jobs()
    )
    # Counted: pytest would compare a megabyte line by line to explain why a word is in it.
    assert (known.count("INFRAAUDIT_NOTIFY") > 0, known.count("swordfish")) == (True, 0)


def test_a_step_gets_the_secrets_all_the_same(definitions: dg.Definitions) -> None:
    found: dict[str, object] = {}

    @dg.asset
    def look(
        notifier: NotifierResource,
        grafana: GrafanaResource,
        logs: LogsResource,
        history: HistoryResource,
    ) -> None:
        found.update(notify=json.loads(notifier.urls), token=grafana.token, loki=logs.loki_url, url=history.url)

    wanted = {name: (definitions.resources or {})[name] for name in ("notifier", "grafana", "logs", "history")}
    assert dg.materialize([look], resources=wanted).success
    assert found["notify"] == json.loads(SECRETS["INFRAAUDIT_NOTIFY"])
    assert [found["token"], found["loki"], found["url"]] == list(SECRETS.values())[1:]


def test_a_runs_own_process_loads_its_project_alone() -> None:
    projects = tuple(Project(name, "/nowhere") for name in ("shop", "shop-a", "pay"))
    assert [project.name for project in concerned(projects, "shop_a_pipeline")] == ["shop-a"]
    assert [project.name for project in concerned(projects, "shop_pipeline")] == ["shop"]
    assert concerned(projects, "") == concerned(projects, "somebody_elses_job") == projects


def test_a_requests_job_builds_every_image_and_a_forks_none() -> None:
    project = Project(
        "shop", "/nowhere", images=tuple(ImageSource(name, f"{name}/Dockerfile") for name in ("web", "worker")),
        forge=Forge(ForgeKind.GITHUB, "https://api.example.org", "team/shop", requests=True),
    )  # fmt: skip
    repository = build_definitions((project,), Settings()).get_repository_def()
    built = {
        name: {key.path[-1] for key in repository.get_job(name).asset_layer.executable_asset_keys}
        for name in ("shop_request", "shop_fork")
    }
    common = {"commit", "scan_report"}
    assert built["shop_request"] == common | {"docker_image", "docker_image_worker", "test_results"}
    assert built["shop_fork"] == common
