"""One real Checkov for all tests of what it reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infraaudit_domain.scans.findings import FrameworkScan, Severity
from resources.checkov import CheckovRunner, ScanLimits


@pytest.fixture(scope="package")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckovRunner]:
    """Scans everything anew."""
    with CheckovRunner(tmp_path_factory.mktemp("state") / "scans", {}, limits=ScanLimits(seconds=250)) as runner:
        yield runner


@pytest.fixture(scope="module")
def stored() -> dict[str, FrameworkScan]:
    return {}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Hidden, as the default state folder is: Checkov would leave out every Kubernetes manifest below it.
    return tmp_path_factory.mktemp("state") / ".infraaudit" / "scans"


@pytest.fixture(scope="module")
def runner(scratch: Path, stored: dict[str, FrameworkScan]) -> Iterator[CheckovRunner]:
    limits = ScanLimits(seconds=40, file_bytes=200_000, files=500)
    with CheckovRunner(scratch, {"CKV_AWS_18": Severity.LOW}, stored.get, limits) as runner:
        yield runner
