"""A real engine for tests, a base image with Python and pytest, and images made from a few files."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import EngineError
from resources.engine import Engine, detect_engine
from resources.engine.build_request import BuildRequest
from resources.engine.builder import build_image
from tests.conftest import require

BASE = os.environ.get("INFRAAUDIT_BASE_IMAGE") or "infraaudit/base:bookworm"
PROJECT = f"engine-tests-{os.getpid()}"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine of this machine; everything that the tests leave behind is removed at the end."""
    require("engine")
    found = detect_engine(os.environ.get("INFRAAUDIT_ENGINE") or "auto")
    if found.find_image(BASE) is None:
        pytest.skip(f"no base image {BASE}: make demo makes one from Debian's packages, or set INFRAAUDIT_BASE_IMAGE")
    yield found
    for name in found.containers({"infraaudit.project": PROJECT}):
        found.remove_container(name)
    done = found.run("images", "--quiet", "--filter", f"label=infraaudit.project={PROJECT}")
    for image_id in set(done.text.split()):
        subprocess.run([found.program, "rmi", "--force", image_id], capture_output=True, check=False)


def build(engine: Engine, folder: Path, files: dict[str, str], *, seconds: float = 120, **changes: str) -> Image:
    """Build a folder of files (``Dockerfile`` among them) as a commit of its own."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    request = BuildRequest(
        PROJECT,
        uuid.uuid4().hex + "0" * 8,
        "https://user:word@example.org/app.git",
        datetime(2026, 1, 2, tzinfo=UTC),
        folder,
        changes.get("dockerfile", "Dockerfile"),
        changes.get("context", "."),
        {"BASE_IMAGE": BASE},
    )
    return build_image(engine, request, inputs_digest="0" * 64, timeout=seconds, on_line=lambda line: None)


__all__ = ["BASE", "PROJECT", "EngineError", "build", "engine"]
