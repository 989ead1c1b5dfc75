"""The `images` of a project's entry."""

from pathlib import Path

import pytest

from infraaudit_domain.dagster_names import image_name
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Project
from resources.configuration.projects import read_projects

HEAD = "projects:\n  - name: shop\n    url: x\n"


def read(folder: Path, images: str) -> Project:
    (folder / "projects.yaml").write_text(f"{HEAD}{images}")
    return read_projects(folder / "projects.yaml")[0]


def test_a_project_without_a_list_has_the_image_of_its_paths(tmp_path: Path) -> None:
    project = read(tmp_path, "    paths: {dockerfile: Dockerfile, context: src}\n")
    assert project.first_image == ImageSource("", "Dockerfile", "src") and project.further_images == ()
    assert image_name(project, project.first_image) == "docker_image"


def test_a_list_is_all_images_and_the_first_keeps_its_asset(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        "    images:\n      - {name: web, dockerfile: web/Dockerfile, context: web}\n"
        "      - {name: my-jobs, dockerfile: D, target: run, build_args: {A: b}, used_in: [jobs]}\n",
    )
    assert project.images == (
        ImageSource("web", "web/Dockerfile", "web"),
        ImageSource("my-jobs", "D", ".", "run", {"A": "b"}, ("jobs",)),
    )
    assert [image_name(project, one) for one in project.images] == ["docker_image", "docker_image_my_jobs"]


@pytest.mark.parametrize(
    "images",
    [
        "[{name: a, dockerfile: ../D}]",
        "[{name: a, dockerfile: D, context: /etc}]",
        "[{name: a, dockerfile: D, target: '--x'}]",
        "[{name: A, dockerfile: D}]",
        "[{name: a}]",
        "[{name: a, dockerfile: D}, {name: a, dockerfile: E}]",
        "[" + ", ".join(f"{{name: a{number}, dockerfile: D}}" for number in range(51)) + "]",
    ],
)
def test_what_cannot_be_built_or_told_apart_is_refused(tmp_path: Path, images: str) -> None:
    with pytest.raises(ConfigurationError, match="images"):
        read(tmp_path, f"    images: {images}\n")
