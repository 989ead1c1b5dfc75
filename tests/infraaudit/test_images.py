"""Recording the images of commits."""

from dataclasses import replace

import pytest

from infraaudit.images import record_built
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.projects import Project
from resources.history import History
from resources.history.queries.further_images import further_images
from tests.resources.history.filled import SHAS, history

__all__ = ["history"]
WEB, WORKER = ImageSource("web", "a"), ImageSource("worker", "b")
PROJECT = Project("p", "https://example.org/p.git", images=(WEB, WORKER))
PUSHED = Image("infraaudit/p:000000000000", "sha256:1", 10, 1.5, "d" * 64, digest="r/p@sha256:9")


@pytest.mark.parametrize("source", [WEB, WORKER], ids=["first", "further"])
@pytest.mark.parametrize(("image_id", "digest"), [("sha256:1", PUSHED.digest), ("sha256:2", None)])
def test_a_digest_stays_known_while_the_image_is_the_same(
    history: History, source: ImageSource, image_id: str, digest: str | None
) -> None:
    sha = SHAS[0]
    record_built(history, PROJECT, source, sha, PUSHED)
    record_built(history, PROJECT, source, sha, replace(PUSHED, image_id=image_id, digest=None))
    found = history.image("p", sha) if source == WEB else further_images(history, "p", sha)["worker"]
    assert found == replace(PUSHED, image_id=image_id, digest=digest)
