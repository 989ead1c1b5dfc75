"""Run pytest on the tests of a commit inside its own image, in the sandbox (sandbox.py).

Their working directory is a copy that is thrown away. Deliberately absent: trust in the report; tests can forge their
own results, but nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from infraaudit_domain.delivery.test_runs import TestCase, TestRun
from infraaudit_domain.errors import TestRunError, excerpt
from resources.engine import Engine
from resources.engine.last_words import last_words
from resources.engine.limits import Limits
from resources.engine.sandbox import REPORT, Sandbox, run_isolated
from resources.engine.scratch_copy import copied_folder, read_folder, unpacking

_PROGRAMS = ("python3", "python")
# pytest's own exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html
_INTERRUPTED, _INTERNAL_ERROR, _USAGE, _NOTHING_COLLECTED = 2, 3, 4, 5
_NOT_INSTALLED = " Install pytest in the image."


def run_tests(
    engine: Engine,
    image_id: str,
    tests_path: str,
    *,
    limits: Limits | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> TestRun:
    """Run pytest on ``tests_path`` (relative to the image's working directory) in a new container of the image.

    A run without a usable report is a TestRun with a ``reason``. Raises EngineError where the engine failed.
    """
    return run_isolated(engine, image_id, limits, on_line, lambda sandbox: _Run(sandbox, tests_path).cases())


@dataclass(frozen=True, slots=True)
class _Run:
    sandbox: Sandbox
    tests_path: str

    def cases(self) -> tuple[TestCase, ...]:
        if self.tests_path.startswith("-"):
            raise TestRunError(f"The tests' path {excerpt(self.tests_path, 100)} is an option, not a path.")
        box = self.sandbox
        for program, folder in product(_PROGRAMS, dict.fromkeys((copied_folder(box.facts, self.tests_path), ""))):
            with box.container(self._command(program, folder), folder) as name:
                archive = read_folder(box.engine, name, folder) if folder else None
                if (folder and not archive) or not box.start(name, archive):
                    continue
                code = box.exit_code(name)
                return self._judge(code, *box.report_of(name))
        raise TestRunError(f"The image has no {' or '.join(_PROGRAMS)} in its PATH: install Python and pytest in it.")

    def _command(self, program: str, folder: str) -> list[str]:
        options = ["-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junitxml={REPORT}"]
        unpack = unpacking(folder) if folder else []
        return [
            "--interactive",
            f"--entrypoint={program}",
            self.sandbox.image_id,
            *unpack,
            "-m",
            "pytest",
            *options,
            "--",
            self.tests_path,
        ]

    def _judge(self, code: int, cases: tuple[TestCase, ...], broken: str) -> tuple[TestCase, ...]:
        bad = any(case.is_bad for case in cases)
        if code == _NOTHING_COLLECTED or (not broken and code == 0 and not cases):
            raise TestRunError(f"pytest found no test in {self.tests_path}.")
        said = last_words(self.sandbox.output)
        if code == _USAGE:
            missing = not said or "file or directory not found" in said
            where = ": is it in the image, below its working directory?" if missing else "."
            raise TestRunError(f"pytest could not start on {self.tests_path}{where}{said}")
        if broken:
            raise TestRunError(f"{broken} pytest ended with exit code {code}.{self._hint(code)}{said}")
        if code != 0 and not bad:
            raise TestRunError(
                f"pytest ended with exit code {code}, and its report names no failure.{self._hint(code)}{said}"
            )
        return cases

    def _hint(self, code: int) -> str:
        output = self.sandbox.output
        return self.sandbox.if_killed(code) or {
            1: _NOT_INSTALLED if any("No module named pytest" in line for line in output) else "",
            _INTERRUPTED: " It was interrupted, or a test could not be imported.",
            _INTERNAL_ERROR: " That is an error within pytest or a plugin.",
        }.get(code, "")
