"""The `images` of a project's entry: all images that its commits are built into, the first of which the tests run in."""

from typing import Annotated

from pydantic import AfterValidator, Field

from infraaudit_domain.delivery.image_sources import ImageSource
from resources.configuration.entry import Entry, Inside

_MOST = 50
BuildArgs = dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str]


class ImageEntry(Entry):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
    dockerfile: Inside
    context: Inside = "."
    target: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,127})?$")] = ""
    build_args: BuildArgs = {}
    used_in: (
        Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9]\S{0,254}$")], ...], Field(max_length=100)] | None
    ) = None

    def source(self) -> ImageSource:
        return ImageSource(self.name, self.dockerfile, self.context, self.target, self.build_args, self.used_in)


def _named_once(given: tuple[ImageEntry, ...]) -> tuple[ImageEntry, ...]:
    names = [one.name for one in given]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two images are named {', '.join(doubled)}")
    return given


ImageList = Annotated[tuple[ImageEntry, ...], Field(max_length=_MOST), AfterValidator(_named_once)]
