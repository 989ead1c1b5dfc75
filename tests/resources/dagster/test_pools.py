"""Waiting for a pool that another run holds: it costs next to nothing, and ends with the holder however that ends."""

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from resources.dagster.pools import PatientClaims
from tests import ROOT
from tests.resources.dagster.test_workers import worker

SHIPPED = ROOT / "configs/dagster/dagster.yaml"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(yaml.safe_load(SHIPPED.read_text())))
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        yield made


def test_a_slot_of_a_killed_run_is_freed_by_the_next_that_waits(instance: dg.DagsterInstance) -> None:
    holder, waiting = dg.DagsterRun("job", run_id="run"), dg.DagsterRun("job", run_id="next")
    process, _ = worker(Path(instance.root_directory))
    with PatientClaims(instance, holder) as held, PatientClaims(instance, waiting) as claims:
        assert held.claim("shop_production", "deployment")
        used, began = time.process_time(), time.monotonic()
        while time.monotonic() < began + 1.5:
            assert not claims.claim("shop_production", "deployment")
        assert time.process_time() - used < 0.5, "waiting burns no core"
        process.kill()
        process.wait()
        end = time.monotonic() + 20
        while not claims.claim("shop_production", "deployment"):
            assert time.monotonic() < end, "it still waits for the dead"
