"""One real Checkov for all tests of what it reads."""

from collections.abc import Iterator

import pytest

from resources.checkov import CheckovRunner, ScanLimits


@pytest.fixture(scope="package")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckovRunner]:
    """Scans everything anew."""
    with CheckovRunner(tmp_path_factory.mktemp("state") / "scans", {}, limits=ScanLimits(seconds=250)) as runner:
        yield runner
