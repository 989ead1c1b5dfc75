"""The `test_results` asset: pytest of the commit's tests, inside its own image."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from infraaudit.tested import run_or_reuse_tests
from infraaudit_assets.assets.checks import TESTS_PASS, check_result, partitioned_check
from infraaudit_assets.assets.stage import RETRY, stage
from infraaudit_assets.assets.tables import code, table
from infraaudit_domain.delivery.test_plans import BY_CONFIGURATION, NO_TESTS, NoTests
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.errors import EngineError
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.projects import Project
from resources.dagster.resources import DockerResource, HistoryResource
from resources.engine.limits import Limits


def build_test_results(project: Project, common: dict) -> dg.AssetsDefinition:
    key = dg.AssetKey([*common["key_prefix"], "test_results"])
    gate = partitioned_check(
        TESTS_PASS,
        key,
        common["partitions_def"],
        "At least one test passed and none failed; else nothing is deployed.",
        blocking=True,
    )

    @dg.asset(
        **common,
        name="test_results",
        description=f"pytest of {project.paths.tests} inside the image just built, without network.",
        kinds={"python", "pytest"},
        deps=[dg.AssetKey([*common["key_prefix"], "docker_image"])],
        check_specs=[gate],
        retry_policy=RETRY,
    )
    def test_results(
        context: dg.AssetExecutionContext, docker: DockerResource, history: HistoryResource
    ) -> Iterator[dg.MaterializeResult]:
        past = history.connect()
        with stage(context, project, past) as current:
            if isinstance(project.tests, NoTests):
                current.skip(BY_CONFIGURATION)
                passed = check_result(TESTS_PASS, key, judge_tests(None, project.tests))
                yield dg.MaterializeResult(metadata={"tests": NO_TESTS}, check_results=[passed])
                return
            image = past.image(project.name, current.sha)
            if image is None:
                raise EngineError(f"{current.sha[:12]} has no image yet; materialize docker_image first.")
            limits = Limits(seconds=docker.test_seconds)
            run = run_or_reuse_tests(docker.connect(), past, project, current.sha, image.image_id, limits)
            past.record_test_run(project.name, current.sha, run)
            if run.reused_from:
                current.reason = (
                    f"The tests passed in the same image for {run.reused_from[:12]}; they did not run again."
                )
            verdict = judge_tests(run)
            if not verdict.passed:
                current.fail(str(verdict))
            yield dg.MaterializeResult(metadata=_metadata(run), check_results=[check_result(TESTS_PASS, key, verdict)])

    return test_results


def _metadata(run: TestRun) -> dict[str, Any]:
    failures = run.bad_cases
    slowest = sorted(run.cases, key=lambda case: -case.seconds)[:5]
    return {
        **run.counts,
        "seconds": run.seconds,
        "reused": f"the result of {run.reused_from[:12]}: its image is the same" if run.reused_from else "no",
        "slowest": table(["test", "seconds"], [(case.name, case.seconds) for case in slowest]),
        **({"failures": table(["test", "message"], [(c.name, c.message) for c in failures])} if failures else {}),
        **({"output": code(run.output_tail)} if run.output_tail and not run.succeeded else {}),
    }
