"""Builds in boxes of their own, for tests: a project each, whose box ends with the test."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit_domain.delivery.builds import BuildLimits, BuildRules
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import BuildFailedError
from resources.engine import Engine
from resources.engine.box.building import BoxedBuild, build_boxed
from resources.engine.box.requirements import missing
from resources.engine.build_request import BuildRequest
from tests.resources.engines import BASE

LIMITS = BuildLimits(memory_megabytes=1024, processes=600, disk_megabytes=1024, file_megabytes=256)


@dataclass
class BoxedProject:
    """A project that builds in its box."""

    engine: Engine
    folder: Path
    name: str
    rules: BuildRules = field(default_factory=lambda: BuildRules(limits=LIMITS))
    log: list[str] = field(default_factory=list)

    def build(self, dockerfile: str, seconds: float = 120, **files: str) -> Image:
        """Build a Dockerfile whose first line is the base image's FROM, beside some files."""
        checkout = self.folder / uuid.uuid4().hex
        checkout.mkdir(parents=True)
        (checkout / "Dockerfile").write_text(f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\n{dockerfile}\n")
        for name, content in files.items():
            (checkout / name).write_text(content)
        request = BuildRequest(
            self.name,
            uuid.uuid4().hex + "0" * 8,
            "https://example.org/app.git",
            datetime(2026, 1, 2, tzinfo=UTC),
            checkout,
            "Dockerfile",
            ".",
            {"BASE_IMAGE": BASE},
        )
        self.log.clear()
        box = BoxedBuild(self.folder / "box", self.rules)
        return build_boxed(box, self.engine, request, inputs_digest="0" * 64, timeout=seconds, on_line=self.log.append)

    def with_rules(self, **changes: object) -> "BoxedProject":
        """The same project under other rules."""
        return replace(self, rules=replace(self.rules, **changes))

    @property
    def box_group(self) -> str:
        """The name of its box's control group."""
        running = json.loads((self.folder / "box" / "running").read_text())
        return Path(running["group"][0]).name

    def close(self) -> None:
        """End the box, and remove the project's images from the engine."""
        with suppress(OSError, ValueError):
            os.kill(int((self.folder / "box" / "keeper").read_text()), signal.SIGTERM)
        done = self.engine.run("images", "--quiet", "--filter", f"label=infraaudit.project={self.name}")
        for image in set(done.text.split()):
            self.engine.run("rmi", "--force", image, check=False)


def refused(project: BoxedProject, dockerfile: str, seconds: float = 120) -> str:
    """The words of a build that has to fail."""
    with pytest.raises(BuildFailedError) as caught:
        project.build(dockerfile, seconds)
    return str(caught.value)


@pytest.fixture(scope="module")
def boxed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoxedProject]:
    """A project with a box, where this machine gives one."""
    if lacking := missing():
        pytest.skip(f"this machine gives no box for builds; it lacks {'; '.join(lacking)}")
    project = BoxedProject(engine, tmp_path_factory.mktemp("box"), f"hostile-{uuid.uuid4().hex[:8]}")
    yield project
    project.close()


__all__ = ["BoxedProject", "boxed", "refused"]
