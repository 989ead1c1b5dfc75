"""Random deployments against an object store in this process; the same on a real cluster is in tests/e2e."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import LONG
from tests.infraaudit.deploying.cluster_machine import Deliveries

_TIMES = 10 if LONG in os.environ else 1


@pytest.mark.sized
def test_what_is_live_is_what_the_last_healthy_release_said_whatever_befalls_the_others() -> None:
    limits = settings(
        max_examples=15 * _TIMES,
        stateful_step_count=8,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.reuse, Phase.generate],
    )
    run_state_machine_as_test(Deliveries, settings=limits)
