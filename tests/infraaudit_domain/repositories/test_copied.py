"""Which folder a Dockerfile is built in, by what it copies; whatever the text, nothing but paths inside comes out."""

from posixpath import isabs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.repositories.copied import context_of, copied

WORDS = st.sampled_from(
    ["COPY ", "ADD ", "copy ", "FROM a\n", "--from=b ", "--chown=1 ", "[", "]", '"a/b"', ",", " ", "../x ", "/etc ", "a.py ",
     "\\\n", "$X ", "*.py ", "\n", "<<EOF ", ". ", "\x00", "é "]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("COPY a.py b/ /app/", ("a.py", "b")),
        ("copy --chown=1:1 a.py /", ("a.py",)),
        ('COPY ["a.py", "b c.py", "/"]', ("a.py", "b c.py")),
        ("COPY --from=build /bin/a /a", ()),
        ("COPY --chown=1 --from=build a /a", ()),
        ("COPY . /", ()),
        ("COPY ../x /", ()),
        ("COPY /a.py /", ("a.py",)),
        ("COPY $DIR *.py /", ()),
        ("COPY a.py", ()),
        ("COPY [", ()),
        ("COPY a.py \\\n  b.py /", ("a.py", "b.py")),
    ],
)
def test_plain_sources_are_read(text: str, sources: tuple[str, ...]) -> None:
    assert copied(text) == sources


@given(st.lists(WORDS, max_size=40).map("".join))
def test_sources_stay_inside(text: str) -> None:
    for source in copied(text):
        assert source and not isabs(source) and ".." not in source.split("/")


@pytest.mark.parametrize(
    ("dockerfile", "text", "files", "context"),
    [
        ("Dockerfile", "COPY app.py /", ["app.py"], "."),
        ("src/cart/Dockerfile", "COPY app.py /", ["src/cart/app.py"], "src/cart"),
        ("src/cart/Dockerfile", "COPY src/cart /", ["src/cart/app.py"], "."),
        ("src/cart/Dockerfile", "COPY . /", ["src/cart/app.py"], "src/cart"),
        ("docker/Dockerfile", "COPY . /", ["app.py"], "."),
        ("src/cart/Dockerfile", "COPY gone.py /", ["app.py"], "."),
    ],
)
def test_the_context_is_where_the_sources_are(dockerfile: str, text: str, files: list[str], context: str) -> None:
    assert context_of(dockerfile, text, [dockerfile, *files]) == context
