"""A run launcher for tests of what starts runs: a run that it launches has succeeded at once, without a process."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster._core.launcher.base import LaunchRunContext, RunLauncher
from dagster._serdes import ConfigurableClass, ConfigurableClassData


class InstantRuns(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Ends every run in the event that Dagster writes when a run succeeds."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> "InstantRuns":
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        run = context.dagster_run
        self._instance.report_dagster_event(DagsterEvent("PIPELINE_SUCCESS", run.job_name), run.run_id)

    def terminate(self, run_id: str) -> bool:
        return False
