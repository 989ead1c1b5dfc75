"""The images of commits of projects that list several: how the first was named, and all further ones."""

from dataclasses import asdict

import sqlalchemy as sa

from infraaudit_domain.delivery.images import Image
from resources.history import schema
from resources.history.database import upsert
from resources.history.rows import image_of
from resources.history.store import History

_TABLE = schema.further_images


def record_further_image(history: History, project: str, sha: str, name: str, image: Image) -> None:
    with history.writing() as connection:
        upsert(connection, _TABLE, [{"project": project, "sha": sha, "name": name} | asdict(image)])


def further_images(history: History, project: str, sha: str) -> dict[str, Image]:
    """The further images of a commit that were built, by name."""
    query = sa.select(_TABLE).where(_TABLE.c.project == project, _TABLE.c.sha == sha).order_by(_TABLE.c.name)
    return {row["name"]: image_of(row) for row in history.rows(query)}


def first_image_name(history: History, project: str, sha: str) -> str | None:
    """How the first image of a commit was named when it was built; None where there is none."""
    table = schema.images
    row = history.row(sa.select(table.c.name).where(table.c.project == project, table.c.sha == sha))
    return None if row is None else str(row["name"])


def find_further_image(history: History, project: str, name: str, inputs_digest: str) -> tuple[str, Image] | None:
    """The commit that first built these inputs as this image, and the image."""
    wanted = (_TABLE.c.project == project) & (_TABLE.c.name == name) & (_TABLE.c.inputs_digest == inputs_digest)
    row = history.row(sa.select(_TABLE).where(wanted, _TABLE.c.reused_from.is_(None)).limit(1))
    return None if row is None else (row["sha"], image_of(row))
