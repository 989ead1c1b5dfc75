"""From a push to a run that started, by the commands that a user has: real processes, real run workers."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Repository
from tests.e2e.installation import BIN, Installation, bare_repository

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    work, _ = bare_repository(tmp_path_factory.mktemp("forge"), "shop")
    work.write({"file": "first"}, "first")
    work.git("push", "--quiet", "-u", "origin", "main")
    return work


@pytest.fixture(scope="module")
def installation(work: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    projects = [
        {"name": "shop", "url": f"{work.path}.git", "audit_only": True},
        {"name": "broken", "url": "x", "environments": []},
        {"name": "gone", "url": "/nowhere/at/all"},
    ]
    # Once an hour: what starts within seconds here was started by the webhook.
    with Installation(tmp_path_factory.mktemp("starts") / "home", projects, poll_seconds=3600) as installation:
        installation.wait_until_up()
        installation.started_at(f"shop:{work.git('rev-parse', 'HEAD')}")
        yield installation


def infraaudit(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "infraaudit", *words], env=installation.environment, capture_output=True, text=True, timeout=120
    )


def test_a_push_starts_its_run_by_webhook(installation: Installation, work: Repository) -> None:
    known = infraaudit(installation, "webhook", "test", "--project", "shop")
    assert known.returncode == 0 and "has its run since before" in known.stdout, known.stdout + known.stderr
    before = work.git("rev-parse", "HEAD")
    middle = work.write({"file": "second"}, "second")
    tip = work.write({"file": "third"}, "third [skip ci]")
    work.git("push", "--quiet")
    assert installation.post("shop", "main", before, tip)
    installation.started_at(f"shop:{middle}")
    newest = work.write({"file": "fourth"}, "fourth")
    work.git("push", "--quiet")
    started = infraaudit(installation, "webhook", "test", "--project", "shop")
    assert started.returncode == 0, started.stdout + started.stderr
    assert f"of {newest[:12]} started after" in started.stdout and " 202 " in started.stdout
    listed = json.loads(infraaudit(installation, "webhook", "list", "--project", "shop", "--json").stdout)
    assert [(row["after"], row["state"]) for row in listed][:2] == [(newest, "done"), (tip, "done")]
    assert f"{tip[:12]} has no run: its message says [skip ci]" in listed[1]["reason"]
    with installation.instance() as instance:
        assert len(instance.get_runs()) == 3
        assert set(instance.get_dynamic_partitions("shop_commits")) == {before, middle, newest}


def test_broken_projects_show_their_errors_and_stop_no_other(installation: Installation) -> None:
    checked = infraaudit(installation, "projects", "check")
    assert checked.returncode == 1
    assert "shop: good, 1 branches" in checked.stdout and "projects[1].environments" in checked.stdout
    assert "/nowhere/at/all cannot be read" in checked.stdout
    with installation.instance() as instance:
        states = {state.instigator_name: state for state in instance.all_instigator_state()}
        errors = {
            name: instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)[0].error
            for name, state in states.items()
        }
    assert errors["shop_commits"] is None
    assert "projects[1].environments" in str(errors["broken_commits"])
    assert "cannot be read" in str(errors["gone_commits"])


def test_without_a_service_the_test_push_says_so(installation: Installation) -> None:
    installation.kill("service")
    refused = infraaudit(installation, "webhook", "test", "--project", "shop")
    assert refused.returncode == 1 and "start it: infraaudit serve" in refused.stderr
