"""One command instead of pytest, on the real engine: what it can report, and that its box is the one of pytest."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infraaudit_domain.delivery.test_plans import TestCommand
from infraaudit_domain.delivery.test_runs import TestRun
from infraaudit_domain.judging.gate import judge_tests
from resources.engine import Engine
from resources.engine.command_runner import run_command
from resources.engine.limits import Limits
from tests.resources.engines import build, engine

__all__ = ["engine"]
pytestmark = pytest.mark.e2e

DOCKERFILE = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nWORKDIR /app\nCOPY check.sh report.xml ./\n"
REPORT = '<testsuites><testsuite name="a"><testsuite name="b"><testcase classname="a.B" name="c"/>{}</testsuite></testsuite></testsuites>'
BAD = '<testcase classname="a.B" name="d"><failure>no</failure></testcase>'
LIMITS = Limits(seconds=20, memory_megabytes=256)
BOX = """set -eu
test "$(id -u)" = 10001
for place in /app/x /x /etc/x; do if (echo x > $place) 2>/dev/null; then echo wrote $place; exit 9; fi; done
printf '#!/bin/sh\\necho compiled ran\\n' > /tmp/made; chmod +x /tmp/made; /tmp/made
test "$(ls /sys/class/net | grep -vE '^(lo|sit0|tunl0|ip6tnl0|gre0)$' | wc -l)" = 0
grep -q 'CapEff:.0000000000000000' /proc/self/status
"""


@pytest.fixture(scope="module")
def run(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TestRun]:
    files = {"Dockerfile": DOCKERFILE, "check.sh": BOX, "report.xml": REPORT.format(BAD)}
    image_id = build(engine, tmp_path_factory.mktemp("image"), files).image_id

    def run(*words: str, junit: str = "", limits: Limits = LIMITS) -> TestRun:
        return run_command(engine, image_id, TestCommand(words, junit=junit), limits=limits)

    return run


def test_by_its_exit_code_alone_it_is_one_case_that_says_so(run: Callable[..., TestRun]) -> None:
    good = run("sh", "check.sh")
    assert [(case.name, case.outcome) for case in good.cases] == [("sh check.sh (by its exit code alone)", "passed")]
    assert judge_tests(good).passed and "compiled ran" in good.output_tail, good.output_tail
    bad = run("sh", "-c", "echo Error: it broke; exit 3")
    (case,) = bad.cases
    assert case.outcome == "failed" and "Exit code 3" in case.message and "it broke" in case.message
    assert not judge_tests(bad).passed


def test_a_report_tells_each_test(run: Callable[..., TestRun]) -> None:
    found = run("sh", "-c", "cat report.xml > out/junit.xml; exit 1", junit="out/junit.xml")
    assert [(case.name, case.outcome) for case in found.cases] == [("a.B::c", "passed"), ("a.B::d", "failed")]
    assert not found.reason
    absolute = run("sh", "-c", "cat report.xml > /results/all.xml; exit 1", junit="/results/all.xml")
    assert absolute.cases == found.cases
    swallowed = run("sh", "-c", "cat report.xml > out/junit.xml || true", junit="out/junit.xml")
    assert not judge_tests(swallowed).passed, "a failure in the report counts whatever the exit code is"


@pytest.mark.parametrize(
    ("script", "junit", "words"),
    [
        ("true", "out/junit.xml", "no report"),
        ("echo '<testsuites tests=\"0\"/>' > out/junit.xml", "out/junit.xml", "lists no test"),
        ("grep -v d report.xml > out/junit.xml; echo '<testsuite/>' > out/junit.xml", "out/junit.xml", "lists no test"),
        ("echo '<testsuite><testcase name=\"a\"/></testsuite>' > out/junit.xml; exit 2", "out/junit.xml", "no failure"),
        ("echo broken > out/junit.xml", "out/junit.xml", "no JUnit report"),
        ("true", "/app/junit.xml", "folder is the image's own"),
        ("true", "/usr/share/junit.xml", "folder is the image's own"),
        ("sleep 60", "", "no end after"),
    ],
)
def test_what_gives_no_result_is_never_let_through(
    run: Callable[..., TestRun], script: str, junit: str, words: str
) -> None:
    found = run("sh", "-c", script, junit=junit, limits=Limits(seconds=4, memory_megabytes=256))
    assert words in found.reason and found.cases == ()
    assert not judge_tests(found).passed


def test_a_program_that_the_image_lacks_is_named_and_nothing_is_left(
    engine: Engine, run: Callable[..., TestRun]
) -> None:
    assert "no program go-test" in run("go-test", "./...").reason
    left = subprocess.run(
        [engine.program, "ps", "--all", "--quiet", "--filter", "name=infraaudit-tests-"],
        capture_output=True,
        check=True,
    )
    assert left.stdout == b"", left.stdout


def test_words_reach_the_program_as_they_are(run: Callable[..., TestRun], tmp_path: Path) -> None:
    found = run("printf", "%s|", "a b", "$HOME", "; touch /tmp/x", "-v")
    assert "a b|$HOME|; touch /tmp/x|-v|" in found.output_tail
