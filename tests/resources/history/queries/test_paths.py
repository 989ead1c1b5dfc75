"""A path filter selects the same files in each database as in Python."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from infraaudit_domain.reporting.path_filters import names
from resources.history import History
from resources.history.queries.paths import path_is
from tests.resources.databases import DATABASES, fresh_history

FILES = ["main.tf", "a/b.tf", "a/x/b.tf", "ab.tf", "x[1].tf", "a/b.tfvars", "A/b.tf", "a%b.tf", "über/x.tf"]
FILTERS = ["", "a", "a/", "a/b.tf", "*.tf", "a/*.tf", "?b.tf", "x[1]*", "*[1].tf", "a%*", "*/b.tf", "ü*", "a.*"]


@pytest.fixture(params=DATABASES)
def history(request: pytest.FixtureRequest, tmp_path: Path, needs: Callable[[str], None]) -> Iterator[History]:
    yield from fresh_history(request.param, tmp_path, needs, request)


def test_the_same_files_are_named(history: History) -> None:
    table = sa.union_all(*(sa.select(sa.literal(file).label("file_path")) for file in FILES)).subquery()
    for wanted in FILTERS:
        found = history.rows(sa.select(table.c.file_path).where(*path_is(table.c.file_path, wanted)))
        assert [row["file_path"] for row in found] == [file for file in FILES if names(wanted, file)], wanted
