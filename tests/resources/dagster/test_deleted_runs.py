"""Which runs go with old commits."""

import dagster as dg
import pytest

from resources.dagster import deleted_runs
from resources.dagster.deleted_runs import finished_runs

SHAS = [f"{number:040x}" for number in range(5)]
DONE = dg.DagsterRunStatus.SUCCESS


def test_the_finished_runs_of_many_commits_are_found_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deleted_runs, "_AT_ONCE", 3)
    runs = [dg.DagsterRun("shop_pipeline", status=DONE, tags={"dagster/partition": sha}) for sha in SHAS]
    others = [
        dg.DagsterRun("shop_pipeline", status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": SHAS[0]}),
        dg.DagsterRun("other_pipeline", status=DONE, tags={"dagster/partition": SHAS[0]}),
        dg.DagsterRun("shop_pipeline", status=DONE),
    ]
    with dg.DagsterInstance.ephemeral() as instance:
        for run in (*runs, *others):
            instance.add_run(run)
        found = finished_runs(instance, SHAS[:-1], ["shop_pipeline"])
        assert sorted(found) == sorted(run.run_id for run in runs[:-1])
        assert finished_runs(instance, [], ["shop_pipeline"]) == []
