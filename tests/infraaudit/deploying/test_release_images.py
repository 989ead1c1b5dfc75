"""Which images a release gets: those that were built for it, and in a later environment those that ran before."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infraaudit.deploying.release import first_reference, further_references
from infraaudit.images import record_built
from infraaudit_domain.delivery.deployments import Deployment, Outcome
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import ManifestError
from infraaudit_domain.projects import Environment, Project
from resources.history import History
from tests.resources.databases import migrated_history

SHA, NOW = "a" * 40, datetime(2026, 1, 1, tzinfo=UTC)
WEB, WORKER = ImageSource("web", "a"), ImageSource("worker", "b")
STAGING, PRODUCTION = Environment("staging"), Environment("production")
SHOP = Project("shop", "https://example.org/shop.git", images=(WEB, WORKER), environments=(STAGING, PRODUCTION))
BUILT = Image("infraaudit/shop/worker:aaaaaaaaaaaa", "sha256:1", 10, 1.5, "d" * 64, digest="r/shop/worker@sha256:1")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return migrated_history(tmp_path)


def test_the_first_image_is_that_of_the_name_it_was_built_as(history: History) -> None:
    record_built(history, SHOP, WEB, SHA, replace(BUILT, digest="r/shop@sha256:7"))
    assert first_reference(history, SHOP, SHA) == "r/shop@sha256:7"
    edited = replace(SHOP, images=(WORKER,))
    with pytest.raises(
        ManifestError, match="no image worker: the one it has was built as web; materialize docker_image"
    ):
        first_reference(history, edited, SHA)
    with pytest.raises(ManifestError, match="no image; materialize docker_image"):
        first_reference(history, SHOP, "b" * 40)


@pytest.mark.parametrize(
    ("ran", "taken"),
    [
        ("image: r/shop/worker@sha256:1\n", True),
        ("image: r/shop/worker@sha256:9\n", False),
        ("image: r/shop@sha256:9\n", True),
    ],
    ids=["the same", "built again since", "not run there"],
)
def test_an_image_that_was_built_again_is_not_promoted_unseen(history: History, ran: str, taken: bool) -> None:
    record_built(history, SHOP, WORKER, SHA, BUILT)
    done = Deployment("shop", "staging", SHA, "kubernetes", Outcome.DEPLOYED, NOW, NOW, image="r/shop", manifests=ran)
    history.record_deployment(done)
    assert further_references(history, SHOP, STAGING, SHA) == [BUILT.digest]
    if taken:
        assert further_references(history, SHOP, PRODUCTION, SHA) == [BUILT.digest]
        return
    with pytest.raises(ManifestError, match="worker of aaaaaaaaaaaa was built again since it was healthy in staging"):
        further_references(history, SHOP, PRODUCTION, SHA)
