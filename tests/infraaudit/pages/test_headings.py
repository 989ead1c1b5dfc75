"""The tables of the audit page stand under the titles of the table of questions, in its order."""

import re
from pathlib import Path

import pytest

from infraaudit.pages import audit
from infraaudit.questions.table import QUESTIONS, asked_as

_TEMPLATES = Path(audit.__file__).parent / "templates"
_HEADS = [
    head for file in sorted(_TEMPLATES.glob("*.html")) for head in re.findall(r"<thead>.*?</thead>", file.read_text())
]
_DERIVED = {"Tests", "Took", "For", '{{ "Live for" if live else "Age" }}'}
"""What is worked out of several columns, or from now."""


@pytest.mark.parametrize("head", _HEADS)
def test_a_table_has_the_titles_and_the_order_of_its_question(head: str) -> None:
    texts = re.findall(r"<th [^>]*>(.*?)</th>", head)
    named = [found.groups() for text in texts if (found := re.fullmatch(r'{{ heading\("(\w+)", "(\w+)"\) }}', text))]
    assert len(named) + len(_DERIVED & set(texts)) == len(texts), texts
    assert len({question for question, _ in named}) == 1
    order = list(asked_as(named[0][0]).headings)
    assert [order.index(column) for _, column in named] == sorted(order.index(column) for _, column in named)


def test_a_title_is_short_and_no_column_lacks_one() -> None:
    for question in QUESTIONS:
        assert all(0 < len(column.title) <= 24 for column in question.columns), question.name
