"""The `tests` of a project's entry: none, or one command; without it, pytest of `paths.tests`."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from infraaudit_domain.delivery.test_plans import TESTS_IMAGE, NoTests, TestCommand, TestPlan
from resources.configuration.entry import Entry

_LONGEST = 4000


def _report_path(path: str) -> str:
    folder = path.rpartition("/")[0]
    if ".." in path.split("/") or not folder.strip("/.") or path.endswith("/"):
        raise ValueError("must be a file in a folder of its own, for example reports/junit.xml, without ..")
    return path


def _is_text(word: str) -> str:
    if "\0" in word:
        raise ValueError("has a null character")
    return word


Word = Annotated[str, Field(min_length=1, max_length=_LONGEST), AfterValidator(_is_text)]


class CommandEntry(Entry):
    command: Annotated[tuple[Word, ...], Field(min_length=1, max_length=100)]
    target: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$")] = ""
    junit: Annotated[str, Field(pattern=r"^[\w./-]{1,200}$"), AfterValidator(_report_path)] | None = None
    image: str = ""


TestsOf = Literal["none"] | CommandEntry | None


def with_image(given: TestsOf, names: Sequence[str]) -> TestsOf:
    """Raises ValueError where the project has no such image, or one that would be taken for that of the tests."""
    if not isinstance(given, CommandEntry):
        return given
    if given.image and given.image not in names:
        raise ValueError(f"its image is {given.image}, and images has {', '.join(names) or 'none'}")
    if given.target and TESTS_IMAGE in names:
        raise ValueError(f"an image is named {TESTS_IMAGE}, as the one that tests.target makes; rename it")
    return given


def plan_of(given: TestsOf) -> TestPlan:
    if given is None:
        return None
    if isinstance(given, CommandEntry):
        return TestCommand(given.command, given.target, given.junit or "", given.image)
    return NoTests()
