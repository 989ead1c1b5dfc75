"""The further images of commits, on SQLite and PostgreSQL."""

from dataclasses import replace

from infraaudit_domain.delivery.images import Image
from resources.history import History
from resources.history.queries.further_images import find_further_image, further_images, record_further_image
from tests.resources.history.filled import SHAS, history

__all__ = ["history"]
IMAGE = Image("infraaudit/p/worker:000000000000", "sha256:1", 10, 1.5, "d" * 64)


def test_each_image_of_a_commit_has_a_row_that_a_second_build_replaces(history: History) -> None:
    record_further_image(history, "p", SHAS[0], "worker", IMAGE)
    record_further_image(history, "p", SHAS[0], "cron", replace(IMAGE, image_id="sha256:2"))
    again = replace(IMAGE, image_id="sha256:3", digest="r/p/worker@sha256:3")
    record_further_image(history, "p", SHAS[0], "worker", again)
    assert further_images(history, "p", SHAS[0]) == {"cron": replace(IMAGE, image_id="sha256:2"), "worker": again}
    assert further_images(history, "p", SHAS[1]) == {} == further_images(history, "q", SHAS[0])


def test_equal_inputs_are_found_of_the_same_image_where_they_were_built(history: History) -> None:
    record_further_image(history, "p", SHAS[1], "worker", replace(IMAGE, reused_from=SHAS[0]))
    assert find_further_image(history, "p", "worker", "d" * 64) is None
    record_further_image(history, "p", SHAS[0], "worker", IMAGE)
    assert find_further_image(history, "p", "worker", "d" * 64) == (SHAS[0], IMAGE)
    for project, name, digest in (("q", "worker", "d"), ("p", "cron", "d"), ("p", "worker", "e")):
        assert find_further_image(history, project, name, digest * 64) is None
