"""The shop of the tests of deployments."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Repository
from tests.infraaudit.deploying.scripted_shop import Shop
from tests.resources.databases import fresh_history


@pytest.fixture
def shop(
    repository: Repository, tmp_path: Path, needs: Callable[[str], None], request: pytest.FixtureRequest
) -> Iterator[Shop]:
    for history in fresh_history("sqlite", tmp_path, needs, request):
        yield Shop(repository, history)
