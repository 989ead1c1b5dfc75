from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.delivery.dockerfile import images_read, instructions, syntax_image, without_syntax

TEXT = """# syntax=docker/dockerfile:1.7
# escape=`
ARG BASE=python:3
ARG TAG
FROM --platform=linux/amd64 ${BASE}-slim${TAG:+-x} AS build
# FROM nothing
RUN a `
  b
FROM build AS test
COPY --from=golang:1 /usr /usr
COPY --from=0 /a /a
COPY --chown=1 --from=build /a /a
RUN --mount=type=cache,target=/x --mount=type=bind,from=tools:2,target=/y make
from scratch
"""


def test_every_image_is_named_once_and_own_stages_are_not() -> None:
    assert images_read(TEXT, {}) == ("python:3-slim", "golang:1", "tools:2")
    assert images_read(TEXT, {"BASE": "mine", "TAG": "1", "OTHER": "x"}) == ("mine-slim-x", "golang:1", "tools:2")
    assert images_read("ARG A\nFROM ${A:-b:1}\n", {}) == ("b:1",)
    assert "RUN a b" in instructions(TEXT)


def test_the_frontend_line_is_found_and_taken_out() -> None:
    assert syntax_image(TEXT) == "docker/dockerfile:1.7"
    assert syntax_image("FROM a\n# syntax=b\n") is None
    plain = without_syntax(TEXT)
    assert syntax_image(plain) is None and "FROM --platform" in plain and plain.startswith("# escape=`\n")


@given(st.text(alphabet="FROMARG COPY--from=${}:-+\\`\n#abc0", max_size=200))
def test_any_text_is_read(text: str) -> None:
    images_read(text, {"a": "b"})
    without_syntax(text)
