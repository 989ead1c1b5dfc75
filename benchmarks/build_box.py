"""How long a build of the sample takes in a box, and on the host's engine: `python -m benchmarks.build_box`.

From the cache (another commit, equal layers), with one new layer, and with three. Medians of several rounds, in turn.
"""

import argparse
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from infraaudit_domain.delivery.builds import BuildRules
from resources.engine import detect_engine
from resources.engine.box.building import BoxedBuild, build_boxed
from resources.engine.build_request import BuildRequest
from resources.engine.builder import build_image
from tests import ROOT

PROJECT = f"bench-{uuid.uuid4().hex[:8]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base-image", default="infraaudit/base:bookworm")
    options = parser.parse_args()
    engine = detect_engine()
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        shutil.copytree(ROOT / "examples/infraauditai", checkout)
        box = BoxedBuild(Path(folder) / "box", BuildRules())

        def request() -> BuildRequest:
            arguments = {"BASE_IMAGE": options.base_image}
            day = datetime(2026, 1, 1, tzinfo=UTC)
            return BuildRequest(PROJECT, uuid.uuid4().hex, "", day, checkout, "docker/Dockerfile", ".", arguments)

        def boxed() -> None:
            build_boxed(box, engine, request(), inputs_digest="", timeout=600, on_line=_ignore)

        def plain() -> None:
            build_image(engine, request(), inputs_digest="", timeout=600, on_line=_ignore)

        print(f"first build of a project, in a box: {_seconds(boxed):.2f} s; on the engine: {_seconds(plain):.2f} s")
        for name, file in (
            ("from the cache", None),
            ("1 new layer", "src/new.txt"),
            ("3 new layers", "requirements.txt"),
        ):
            taken: dict[Callable[[], None], list[float]] = {boxed: [], plain: []}
            for _ in range(options.rounds):
                for build, seconds in taken.items():
                    if file:
                        (checkout / file).write_text(f"# {uuid.uuid4().hex}\n")
                    seconds.append(_seconds(build))
            in_box, on_engine = (statistics.median(seconds) for seconds in taken.values())
            print(f"{name}: {in_box:.2f} s in a box, {on_engine:.2f} s on the engine")
    for image in engine.run("images", "--quiet", f"infraaudit/{PROJECT}").text.split():
        engine.run("rmi", "--force", image, check=False)


def _seconds(build: Callable[[], None]) -> float:
    started = time.monotonic()
    build()
    return time.monotonic() - started


def _ignore(line: str) -> None:
    pass


if __name__ == "__main__":
    main()
