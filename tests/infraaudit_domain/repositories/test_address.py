"""By which addresses a repository may be added, and the name that follows."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.repositories.address import fault_of, name_of, same_repository

NAME = re.compile(r"^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a/b.git", "git@example.org:a/b.git", "ssh://git@example.org:22/a", "../shop", "/srv/shop.git",
        "git://example.org/a", "https://team@dev.azure.example/team/shop/_git/shop", "./a:b",
    ],
)  # fmt: skip
def test_good_addresses(url: str) -> None:
    assert fault_of(url) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "local path"),
        (" ", "local path"),
        ("--upload-pack=id", "local path"),
        ("ext::sh -c id", "local path"),
        ("https://example.org/a\nurl: b", "local path"),
        ("https://example.org/\x1b[31m", "local path"),
        ("host:shop.git", "git@host:path"),
        ("file:///etc", "path itself"),
        ("ftp://example.org/a", "begins with"),
        ("https:///a", "begins with"),
        ("https://[::1", "local path"),
        ("https://[1", "no URL"),
        ("https://ada:secret@example.org/a", "password"),
        ("ssh://ada:secret@example.org/a", "password"),
        ("https://ghp_16C7e42F292c6912E7710c838347Ae178B4a@example.org/a", "token"),
        ("https://glpat-abc@example.org/a", "token"),
        ("https://example.org/a?private_token=x", "query"),
    ],
)
def test_bad_addresses_say_why(url: str, why: str) -> None:
    assert why in fault_of(url)
    assert "secret" not in fault_of(url)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/team/Shop.git", "shop"),
        ("git@example.org:shop.git", "shop"),
        ("/srv/a b.c/", "a-b-c"),
        ("https://example.org/_x_", "x"),
        ("https://example.org/日本", ""),
        ("..", ""),
    ],
)
def test_names_follow_from_addresses(url: str, name: str) -> None:
    assert name_of(url) == name


@given(st.text(max_size=100))
def test_a_name_is_one_or_none(url: str) -> None:
    assert name_of(url) == "" or NAME.match(name_of(url))
    fault_of(url)


def test_one_repository_has_several_addresses() -> None:
    assert same_repository("https://example.org/a/b.git", "git@example.org:a/b")
    assert same_repository("/srv/a/", "/srv/a")
    assert not same_repository("https://example.org/a/b", "https://example.org/a/c")
