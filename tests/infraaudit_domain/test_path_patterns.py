"""A commit's patterns of paths: matched as Checkov matches them, in bounded time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.path_patterns import Finder, is_supported


@pytest.mark.parametrize(
    ("pattern", "path", "is_skipped"),
    [
        ("tests/fixtures/", "tests/fixtures/a.tf", True),
        ("tests/fixtures/", "tests/a.tf", False),
        ("examples", "modules/examples/main.tf", True),
        (r"a/.*\.tf$", "a/b.tf", True),
        (r".*\.tf$", "a/b.tf", False),  # plain text to Checkov, since it begins with one dot
        (r".*\.tf$", "a/b.tf.json", False),
        ("/modules$", "modules/a/main.tf", True),  # the folder is skipped with all that is in it
        ("^/tests", "tests/a.tf", True),
        ("^tests", "tests/a.tf", False),  # Checkov compares the whole path of its checkout
        (".terraform", "a/.terraform/x.tf", True),
        (".terraform", "xterraform/x.tf", False),
        ("modules/.*/tests/.*[.]tf", "modules/x/tests/y.tf", True),
        ("(foo|ba[rz]){1,2}/", "foobaz/a.tf", True),
        ("[", "a[b/main.tf", True),
        ("a(?=b)", "ab/main.tf", False),
    ],
)
def test_a_file_is_skipped_as_checkov_skips_it(pattern: str, path: str, is_skipped: bool) -> None:
    assert Finder([pattern]).found(path) == ((pattern,) if is_skipped else ())


patterns = st.recursive(
    st.sampled_from(["a", "b", "/", ".", "[ab]", "[^a]", r"\w", r"\.", "^", "$"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?"])).map(lambda two: f"({two[0]}){two[1]}"),
    ),
    max_leaves=6,
)


@given(patterns, st.text("ab/.", min_size=1, max_size=8).filter(lambda path: "//" not in f"/{path}/"))
def test_expressions_mean_what_they_mean_to_python(pattern: str, path: str) -> None:
    names = path.split("/")
    places = ["/" + "/".join(names[: count + 1]) for count in range(len(names))]
    compiled = re.compile(re.escape(pattern) if re.match(r"^\.[^.]", pattern) else pattern)
    expected = any(compiled.search(place) or pattern in place for place in places)
    assert bool(Finder([pattern]).found(path)) == expected


@pytest.mark.parametrize("pattern", ["(a+)+$", "(.*a){25}$", ".*a.*b.*c.*d.*e.*f$", "(a|aa)+$", "(a{1,1000}){1,1000}$"])
def test_no_expression_takes_long(pattern: str) -> None:
    started = time.process_time()
    finder = Finder([pattern] * 20)
    for length in range(1000, 1020):
        finder.found("a" * length + "!")
    assert time.process_time() - started < 20


@pytest.mark.parametrize("pattern", [r"(a)\1", "a(?=b)", "(?i)a", "[", "(a{1,1000}){1,1000}"])
def test_what_has_no_bound_is_no_expression(pattern: str) -> None:
    assert not is_supported(pattern)
