"""Releases that are measured before they count as deployed; what is asked is set by the test."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infraaudit.deploying.analysing import Analyser, analyser_of
from infraaudit.deploying.deploy import deploy
from infraaudit_domain.delivery.analysis import Analysis, Threshold
from infraaudit_domain.delivery.deployments import Deployment, Outcome, Release
from infraaudit_domain.errors import ConfigurationError, MonitoringError
from infraaudit_domain.projects import Environment
from resources.history.decisions.measurements import measurement_rows
from tests.conftest import Repository
from tests.infraaudit.deploying.test_deploy import Shop
from tests.resources.databases import fresh_history

ANALYSIS = Analysis(
    0.3, 0.1, (Threshold("errors", 'errors{commit="$commit"}', most=0.01), Threshold("up", "up", least=1))
)


@pytest.fixture
def shop(
    repository: Repository, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[Shop]:
    for history in fresh_history("sqlite", tmp_path, needs, request):
        yield Shop(repository, history)


def measured(shop: Shop, number: int, ask: Callable[[str], list[float]]) -> Deployment:
    release = Release("shop", "production", shop.shas[number], "i:1", "")
    return deploy(
        shop.history, shop.mirror, shop.target, release, timeout=1, superseded=lambda _: "",
        on_progress=lambda _: None, analyse=Analyser(shop.history, ANALYSIS, ask),
    )  # fmt: skip


def test_numbers_within_their_limits_are_facts_of_the_deployment(shop: Shop) -> None:
    asked: list[str] = []

    def ask(query: str) -> list[float]:
        asked.append(query)
        return [0.0, 0.005] if query.startswith("errors") else [2]

    done = measured(shop, 0, ask)
    assert done.outcome is Outcome.DEPLOYED
    assert done.reason == "errors was 0.005 (at most 0.01)\nup was 2 (at least 1)"
    assert len(asked) >= 6 and f'errors{{commit="{shop.shas[0]}"}}' in asked, "it is asked all the time"
    rows = measurement_rows(shop.history, "shop")
    assert [(row["name"], row["value"], row["passed"], row["sha"]) for row in rows] == [
        ("errors", 0.005, True, shop.shas[0]), ("up", 2.0, True, shop.shas[0])
    ]  # fmt: skip
    assert rows[0]["started_at"] == done.started_at
    assert measured(shop, 0, lambda _: pytest.fail("what is live is not measured again")).outcome is Outcome.UNCHANGED


def test_one_number_outside_takes_the_release_back_at_once(shop: Shop) -> None:
    shop.deliver(0)
    asked: list[str] = []

    def ask(query: str) -> list[float]:
        asked.append(query)
        return ([0.0], [0.5])[len(asked) > 2] if query.startswith("errors") else [2]

    done = measured(shop, 1, ask)
    assert done.outcome is Outcome.ROLLED_BACK and done.reason.startswith(
        "its analysis failed: errors was 0.5 (at most"
    )
    assert shop.target.running == shop.shas[0] and len(asked) == 4
    assert [row["passed"] for row in measurement_rows(shop.history, "shop", sha=shop.shas[1])] == [False, True]


@pytest.mark.parametrize("is_back", [False, True])
def test_a_prometheus_that_is_away_fails_nothing_unless_it_stays_so(shop: Shop, is_back: bool) -> None:
    shop.deliver(0)
    asked: list[str] = []

    def ask(query: str) -> list[float]:
        asked.append(query)
        if is_back and len(asked) > 2:
            return [0.0] if query.startswith("errors") else [1]
        raise MonitoringError("Prometheus does not answer")

    done = measured(shop, 1, ask)
    assert done.outcome is (Outcome.DEPLOYED if is_back else Outcome.ROLLED_BACK)
    assert is_back or "errors had no value: Prometheus does not answer" in done.reason


def test_without_a_prometheus_nothing_that_is_to_be_measured_is_deployed(shop: Shop) -> None:
    assert analyser_of(shop.history, Environment(), None) is None
    place = replace(Environment(), analysis=ANALYSIS)
    with pytest.raises(ConfigurationError, match="INFRAAUDIT_PROMETHEUS_URL"):
        analyser_of(shop.history, place, "")
