"""The note below a table is of the whole answer, also where only its first rows are shown, and of the verdict asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from infraaudit.scans.lifecycles import follow_deploy_branch
from infraaudit_assets.cli import app
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from resources.history import open_history
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import finding, scan

STRICT = "{open: {unknown: 0}, new: {}}"
START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Four deployments, an hour each: the first has no finding, each of the others one of its own."""
    folder = tmp_path_factory.mktemp("shop")
    repository = Repository(folder / "repository")
    shas = [repository.write({"main.tf": f"{number}"}, f"{number}") for number in range(4)]
    (folder / "projects.yaml").write_text(f"projects: [{{name: shop, url: {repository.path}}}]")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("INFRAAUDIT_PROJECTS", str(folder / "projects.yaml"))
        environment.setenv("INFRAAUDIT_HOME", str(folder))
        environment.delenv("INFRAAUDIT_DATABASE_URL", raising=False)
        settings.cache_clear()
        past, project = open_history(settings().history_url), find_project("shop")
        mirror_of(project).fetch()
        past.record_project(project)
        for number, sha in enumerate(shas):
            past.record_commit("shop", mirror_of(project).commit(sha))
            past.record_scan("shop", scan(sha, [finding(f"bucket_{number}")] if number else []))
            at = START + timedelta(hours=number)
            past.record_deployment(Deployment("shop", "production", sha, "container", Outcome.DEPLOYED, at, at))
        follow_deploy_branch(past, mirror_of(project), project)
        yield
    settings.cache_clear()


def printed(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--project", "shop"])
    assert done.exit_code == 0, (done.output, done.exception)
    return " ".join(done.stdout.split())


@pytest.mark.usefixtures("shop")
def test_the_first_rows_have_the_note_of_all() -> None:
    replayed = printed("gate", "replay", "--gate", STRICT, "--limit", "1")
    assert "the first of 3 in production: 3 would have been stopped" in replayed


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("verdict", "note"),
    [
        ("any", "4 rows in production: 3 would have been stopped; finding-hours saved: "),
        ("stopped", "3 rows in production: 3 would have been stopped; finding-hours saved: "),
        ("passed", "1 row in production: 1 passed"),
        ("not known", "0 rows in production: 0 not known"),
    ],
)
def test_a_replay_is_summed_up_by_the_verdict_that_was_asked_for(verdict: str, note: str) -> None:
    said = printed("gate", "replay", "--gate", STRICT, "--verdict", verdict)
    assert note in said and ("stopped;" in said) is (verdict in ("any", "stopped"))
