"""What the pipeline's configuration says of a project's tests. Deliberately absent: running them (infraaudit/tested.py)."""

from dataclasses import dataclass
from typing import ClassVar

NO_TESTS = "no tests"
"""What is shown of a commit whose project has none."""
BY_CONFIGURATION = f"{NO_TESTS}: the projects file says so (tests: none)"
TESTS_IMAGE = "tests"
"""The name of the image that is built for the tests alone."""


@dataclass(frozen=True, slots=True)
class NoTests:
    """The project has none, and is deployed without."""


@dataclass(frozen=True, slots=True)
class TestCommand:
    """One command that tests a commit inside an image of it."""

    __test__: ClassVar[bool] = False
    words: tuple[str, ...]
    target: str = ""
    """The stage of the image's Dockerfile that it runs in; empty is the image itself."""
    junit: str = ""
    """Where it writes its JUnit report, from its working directory; without one its exit code alone counts."""
    image: str = ""
    """Which of several images; empty is the first."""


TestPlan = NoTests | TestCommand | None
"""None is pytest of the folder that the project's paths name."""


def says_no_tests(reason: str | None) -> bool:
    """Whether the reason of a stage says that there are no tests."""
    return reason == BY_CONFIGURATION
