"""What the tests of whole programs share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def warm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder for several tests, each with a database of its own: Checkov's parsing tables, which are kept in
    it, take ten seconds to make."""
    return tmp_path_factory.mktemp("home")
