"""Run one configured command inside an image of a commit, in the sandbox (sandbox.py), and read what it found.

Its working directory is read-only, as everything but /tmp and its report is. Deliberately absent: a shell; who needs one
writes it into the command.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from time import monotonic

from infraaudit_domain.delivery.test_plans import TestCommand
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.errors import TestRunError, excerpt
from resources.engine import Engine
from resources.engine.last_words import last_words
from resources.engine.limits import Limits
from resources.engine.sandbox import REPORT, Sandbox, run_isolated

_PLAIN = re.compile(r"(?:/[\w.-]+){2,}", re.ASCII)  # The working directory is the commit's to name.
_KEPT_FOLDERS = ("/tmp", "/proc", "/sys", "/dev", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/usr", "/run")


def run_command(
    engine: Engine,
    image_id: str,
    command: TestCommand,
    *,
    limits: Limits | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> TestRun:
    """Run a command in a new container of the image; its results are those of its report, or its exit code alone.

    A run without a usable report is a TestRun with a ``reason``. Raises EngineError where the engine failed.
    """
    return run_isolated(engine, image_id, limits, on_line, lambda sandbox: _Run(sandbox, command).cases())


@dataclass(frozen=True, slots=True)
class _Run:
    sandbox: Sandbox
    command: TestCommand

    @property
    def shown(self) -> str:
        return excerpt(" ".join(self.command.words).replace("\n", " "), 300)

    def cases(self) -> tuple[TestCase, ...]:
        box, (program, *words) = self.sandbox, self.command.words
        box.report, box.temporary = self._report(), "rw,exec"  # compilers of tests build programs there
        started = monotonic()
        with box.container(["--interactive", f"--entrypoint={program}", box.image_id, *words]) as name:
            if not box.start(name):
                raise TestRunError(f"The image has no program {excerpt(program, 200)} that the command could start.")
            seconds, code = round(monotonic() - started, 3), box.exit_code(name)
            if self.command.junit:
                return self._judge(code, *box.report_of(name))
        return (self._only_case(code, seconds),)

    def _report(self) -> str:
        if not self.command.junit:
            return REPORT
        workplace = normpath(self.sandbox.facts.working_folder or "/")
        report = normpath(join("/", workplace, self.command.junit))
        folder = dirname(report)
        hides = f"{workplace}/".startswith(f"{folder.rstrip('/')}/")
        if (
            hides
            or not _PLAIN.fullmatch(report)
            or any(folder == kept or folder.startswith(f"{kept}/") for kept in _KEPT_FOLDERS)
        ):
            raise TestRunError(
                f"tests.junit is {excerpt(report, 300)}, whose folder is the image's own: name a folder for it alone, for example "
                "reports/junit.xml."
            )
        return report

    def _only_case(self, code: int, seconds: float) -> TestCase:
        """The whole command as one test; what it found is not known."""
        name = f"{self.shown} (by its exit code alone)"
        if code == 0:
            return TestCase(name, CaseOutcome.PASSED, seconds)
        said = f"Exit code {code}.{self.sandbox.if_killed(code)}{last_words(self.sandbox.output)}"
        return TestCase(name, CaseOutcome.FAILED, seconds, said)

    def _judge(self, code: int, cases: tuple[TestCase, ...], broken: str) -> tuple[TestCase, ...]:
        ended = f"{self.shown} ended with exit code {code}"
        said = f"{self.sandbox.if_killed(code)}{last_words(self.sandbox.output)}"
        if broken:
            raise TestRunError(f"{broken} {ended}; its report belongs in {self.sandbox.report}.{said}")
        if not cases:
            raise TestRunError(f"Its report lists no test. {ended}.{said}")
        if code != 0 and not any(case.is_bad for case in cases):
            raise TestRunError(f"{ended}, and its report names no failure.{said}")
        return cases
