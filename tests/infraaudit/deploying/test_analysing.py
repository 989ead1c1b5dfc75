"""Releases that are measured before they count as deployed; what is asked is set by the test."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from infraaudit.deploying import analysing
from infraaudit.deploying.analysing import Analyser, analyser_of
from infraaudit.deploying.deploy import deploy
from infraaudit_assets.commands.formats import print_rows
from infraaudit_assets.commands.options import Format
from infraaudit_domain.delivery.analysis import Analysis, Threshold
from infraaudit_domain.delivery.deployments import Deployment, Outcome, Release
from infraaudit_domain.errors import ConfigurationError, HistoryError, MonitoringError
from infraaudit_domain.projects import Environment
from resources.history.decisions.measurements import measurement_rows
from resources.history.deployments import being_measured
from resources.prometheus import values_of
from tests.conftest import Repository
from tests.infraaudit.deploying.scripted_shop import Shop
from tests.resources.databases import fresh_history

NOW = datetime.now(UTC)
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
    measured_environment = replace(Environment(), analysis=ANALYSIS)
    with pytest.raises(ConfigurationError, match="INFRAAUDIT_PROMETHEUS_URL"):
        analyser_of(shop.history, measured_environment, "")


def test_whatever_keeps_a_release_from_being_measured_takes_it_back(shop: Shop) -> None:
    shop.deliver(0)

    def ask(_: str) -> list[float]:
        raise ConfigurationError("the address is none")

    done = measured(shop, 1, ask)
    assert done.outcome is Outcome.ROLLED_BACK and "the address is none" in done.reason
    assert shop.target.running == shop.shas[0]
    assert measured(shop, 2, partial(values_of, "http://[::1")).outcome is Outcome.ROLLED_BACK


def test_a_history_that_is_busy_takes_nothing_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.deliver(0)

    def busy(*_: object) -> None:
        raise HistoryError("database is locked")

    monkeypatch.setattr(analysing, "record_measurements", busy)
    with pytest.raises(HistoryError):
        measured(shop, 1, lambda query: [0.0] if "errors" in query else [1])
    assert shop.target.running == shop.shas[1], "the next attempt takes it up"


def test_the_cause_of_no_value_is_that_of_the_last_question(shop: Shop) -> None:
    shop.deliver(0)
    asked: list[str] = []

    def ask(query: str) -> list[float]:
        asked.append(query)
        if len(asked) < 3:
            raise MonitoringError("Prometheus does not answer")
        return [] if query.startswith("errors") else [1]

    done = measured(shop, 1, ask)
    assert done.outcome is Outcome.ROLLED_BACK
    assert "errors had no value" in done.reason and "does not answer" not in done.reason


def test_while_it_is_measured_the_release_is_listed_where_it_answers(shop: Shop) -> None:
    shop.deliver(0)
    seen: list[Deployment | None] = []

    def ask(_: str) -> list[float]:
        seen.append(being_measured(shop.history, "shop", "production"))
        return [0.0] if "errors" in _ else [1]

    done = measured(shop, 1, ask)
    assert done.outcome is Outcome.DEPLOYED
    assert {(one.sha, one.url) for one in seen if one} == {(shop.shas[1], done.url)} and None not in seen
    assert being_measured(shop.history, "shop", "production") is None


def test_the_first_value_is_asked_for_after_a_while(shop: Shop) -> None:
    later = replace(ANALYSIS, after=0.2)
    begun, asked = time.monotonic(), list[float]()

    def ask(query: str) -> list[float]:
        asked.append(time.monotonic() - begun)
        return [0.0] if query.startswith("errors") else [1]

    Analyser(shop.history, later, ask)(Release("shop", "production", "a" * 40, "i", ""), NOW, lambda _: None)
    assert min(asked) >= 0.2 and later.lasts == 0.5


def test_an_infinite_value_is_outside_and_is_no_number_of_json(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.deliver(0)
    assert measured(shop, 1, lambda _: [float("inf")]).outcome is Outcome.ROLLED_BACK
    row = measurement_rows(shop.history, "shop", sha=shop.shas[1])[0]
    assert (row["value"], row["passed"], row["why"]) == (float("inf"), False, "it was inf")
    print_rows([row], list(row), Format.JSON)
    (shown,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert shown["value"] is None
