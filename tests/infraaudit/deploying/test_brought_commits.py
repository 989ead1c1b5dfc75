"""The commits that a deployment brings, from a real repository: each once, merged branches included."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infraaudit.deploying.deploy import deploy
from infraaudit_domain.delivery.deployments import Release, Rollout
from resources.history import History
from resources.history.queries.environments import dora
from tests.conftest import Repository
from tests.resources.databases import DATABASES, fresh_history


class Target:
    """A target where everything becomes healthy."""

    name = "nowhere"

    def describe(self) -> str:
        return self.name

    def deploy(self, release: Release, *, timeout: float, on_progress: Callable[[str], None]) -> Rollout:
        return Rollout(True)


@pytest.fixture(params=DATABASES)
def past(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def brought(past: History) -> dict[str, str]:
    with past.reading() as connection:
        rows: Sequence = connection.exec_driver_sql("SELECT sha, deployed_by FROM deployed_commits").all()
    return {row[0]: row[1] for row in rows}


def test_every_commit_is_brought_once_by_the_first_deployment_that_had_it(
    past: History, repository: Repository
) -> None:
    old, first = (repository.write({"a": str(n)}, f"commit {n}") for n in range(2))
    repository.git("switch", "--quiet", "--create", "side")
    side = repository.write({"b": "1"}, "on the side")
    repository.git("switch", "--quiet", "main")
    between = repository.write({"a": "3"}, "between")
    repository.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
    merge = repository.git("rev-parse", "HEAD")
    mirror = repository.mirror()

    def bring(sha: str) -> None:
        release = Release("shop", "production", sha, "image", "")
        deploy(past, mirror, Target(), release, timeout=1, superseded=lambda _: "", on_progress=lambda _: None)

    bring(first)
    assert brought(past) == {first: first}, "the first deployment brings itself alone"
    bring(merge)
    expected = {first: first, side: merge, between: merge, merge: merge}
    assert brought(past) == expected and old not in brought(past)
    bring(first)
    bring(merge)
    assert brought(past) == expected, "going back and forth brings nothing twice"
    now = datetime.now(UTC) + timedelta(minutes=1)
    times = [mirror.commit(sha).committed_at for sha in sorted((side, between))]
    lead = dora(past, "shop", "production", now).lead_seconds
    assert lead is not None
    # Four commits, a minute apart, are now live: the median is between the two in the middle.
    assert (now - max(times)).total_seconds() - 90 <= lead <= (now - min(times)).total_seconds()


def test_a_history_that_was_rewritten_still_records_the_outcome(past: History, repository: Repository) -> None:
    sha = repository.write({"a": "1"}, "Start")
    mirror = repository.mirror()
    for commit in ("e" * 40, sha):
        release = Release("shop", "production", commit, "image", "")
        deploy(past, mirror, Target(), release, timeout=1, superseded=lambda _: "", on_progress=lambda _: None)
    live = past.live("shop", "production")
    assert live and live.sha == sha


def test_a_commit_of_the_year_11476_is_brought_like_any_other(past: History, repository: Repository) -> None:
    first = repository.write({"a": "1"}, "Start")
    odd = repository.write_odd("300000000000 +0000")
    mirror = repository.mirror()
    past.record_commit("shop", mirror.commit(odd))
    for commit in (first, odd):
        release = Release("shop", "production", commit, "image", "")
        deploy(past, mirror, Target(), release, timeout=1, superseded=lambda _: "", on_progress=lambda _: None)
    assert brought(past) == {first: first, odd: odd}
    assert dora(past, "shop", "production", datetime.now(UTC) + timedelta(minutes=1)).lead_seconds is not None
    with past.reading() as connection:
        leads = "SELECT count(*) FROM deployed_commits WHERE committed_at > deployed_at"
        assert connection.exec_driver_sql(leads).scalar() == 0
