"""What the tests of whole programs share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from resources.checkov import parent


@pytest.fixture(scope="session")
def sample() -> None:
    """For whole installations of the sample project: its images and workloads are named alike in each of them, and one
    installation alone keeps a machine busy, so they run one after another (tests/distribution.py)."""


@pytest.fixture(scope="session")
def warm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder for several tests, each with a database of its own: Checkov's parsing tables, which are kept in
    it, take ten seconds to make."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def checkov_begins_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the process that holds Checkov run some code of the test's first; everything else is the real thing."""
    usual = parent.environment

    def environment(*folders: Path) -> dict[str, str]:
        words = usual(*folders)
        return words | {"PYTHONPATH": f"{words['PYTHONPATH']}:{tmp_path / 'first'}"}

    def begin(code: str) -> None:
        (tmp_path / "first").mkdir()
        (tmp_path / "first" / "sitecustomize.py").write_text(code)
        monkeypatch.setattr(parent, "environment", environment)

    return begin
