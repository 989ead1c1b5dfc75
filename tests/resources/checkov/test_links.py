"""Where the links of a commit lead, as they would on a disk."""

import pytest

from resources.checkov.reading.links import followed
from tests.conftest import Repository

LINKS = {
    "to_a_file.tf": "deep/real/main.tf",
    "over_a_folder.tf": "folder/main.tf",
    "over_folders.tf": "deep/again/../real/main.tf",
    "up_from_a_linked_folder.tf": "folder/../real/main.tf",
    "over_a_link.tf": "to_a_file.tf",
    "to_a_folder.tf": "deep/real",
    "to_a_linked_folder.tf": "folder",
    "into_a_file.tf": "deep/real/main.tf/main.tf",
    "over_nothing.tf": "deep/none/../real/main.tf",
    "out.tf": "../deep/real/main.tf",
    "from_the_root.tf": "/deep/real/main.tf",
    "round.tf": "round.tf",
    "round_over_a_folder.tf": "circle/main.tf",
    "nowhere.tf": "deep/none.tf",
}
FOUND = ("to_a_file", "over_a_folder", "over_folders", "up_from_a_linked_folder", "over_a_link")
LOST = ("into_a_file", "over_nothing", "out", "from_the_root", "round", "round_over_a_folder", "nowhere")


@pytest.fixture
def linked(repository: Repository) -> Repository:
    repository.write({"deep/real/main.tf": "# real"}, "file")
    for link, target in {**LINKS, "folder": "deep/real", "deep/again": "../folder", "circle": "circle/circle"}.items():
        (repository.path / link).symlink_to(target)
    return repository


def test_links_lead_over_other_links_as_on_a_disk(linked: Repository) -> None:
    sha, mirror = linked.write({}, "links"), linked.mirror()
    tree = mirror.tree(sha)
    (real,) = (entry for entry in tree if entry.path == "deep/real/main.tf")
    done = followed(mirror, tree, ["terraform"])
    assert {entry.path for entry in done.entries if entry.is_file} == {real.path, *(f"{name}.tf" for name in FOUND)}
    assert {entry.blob for entry in done.entries if entry.is_file} == {real.blob}
    assert dict(done.lost) == {f"{name}.tf": LINKS[f"{name}.tf"] for name in LOST}
    on_disk = {name for name in LINKS if (linked.path / name).is_file()}
    assert on_disk - {"out.tf", "from_the_root.tf"} == {f"{name}.tf" for name in FOUND}
