"""The `test_results` asset: the commit's tests, inside its own image: pytest, one command, or none."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from infraaudit.images import record_built
from infraaudit.tested import built_image, not_built, run_or_reuse_tests, tests_source
from infraaudit_assets.assets.checks import TESTS_PASS, check_result, partitioned_check
from infraaudit_assets.assets.image import build
from infraaudit_assets.assets.stage import RETRY, Stage, stage
from infraaudit_assets.assets.tables import code, table
from infraaudit_domain.dagster_names import image_name
from infraaudit_domain.delivery.test_plans import BY_CONFIGURATION, NO_TESTS, NoTests
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.errors import BuildFailedError, excerpt
from infraaudit_domain.judging.gate import judge_tests
from infraaudit_domain.projects import Project
from resources.dagster.resources import DockerResource, GitResource, HistoryResource
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
        description=_description(project),
        kinds={"python", "pytest"} if project.tests is None else {"shell"},
        deps=[dg.AssetKey([*common["key_prefix"], image_name(project, project.tests_image)])],
        check_specs=[gate],
        retry_policy=RETRY,
    )
    def test_results(
        context: dg.AssetExecutionContext, git: GitResource, docker: DockerResource, history: HistoryResource
    ) -> Iterator[dg.MaterializeResult]:
        past = history.connect()
        with stage(context, project, past) as current:
            if isinstance(project.tests, NoTests):
                current.skip(BY_CONFIGURATION)
                passed = check_result(TESTS_PASS, key, judge_tests(None, project.tests))
                yield dg.MaterializeResult(metadata={"tests": NO_TESTS}, check_results=[passed])
                return
            run = _tested(project, current, git, docker)
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


def _tested(project: Project, current: Stage, git: GitResource, docker: DockerResource) -> TestRun:
    """The result of the commit's tests, in its image or in a stage of it that is built for them."""
    image = built_image(current.history, project, current.sha)
    engine, source = docker.connect(), tests_source(project)
    if source is not None:
        try:
            image = build(project, source, current, git, docker, engine)
        except BuildFailedError as error:
            return not_built(source, error)
        record_built(current.history, project, source, current.sha, image)
    limits = Limits(seconds=docker.test_seconds)
    return run_or_reuse_tests(engine, current.history, project, current.sha, image.image_id, limits)


def _description(project: Project) -> str:
    plan = project.tests
    if isinstance(plan, NoTests):
        return "No tests: the projects file says so."
    what = f"pytest of {project.paths.tests}" if plan is None else " ".join(plan.words)
    where = f"the stage {plan.target} of the image" if plan is not None and plan.target else "the image just built"
    return f"{excerpt(what, 200)} inside {where}, without network."


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
