"""CODEOWNERS rules as GitHub documents them."""

import time

import pytest

from infraaudit_domain.reporting.owners import owners_of, parse_owners

RULES = parse_owners("""
# a comment
*       @all
*.js    @js # beside it
/build/logs/ @doc
docs/*  docs@example.org
apps/   @octo
/scripts/ @a @b
**/logs @log
/apps/github
""")


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README", ("@all",)),
        ("src/deep/a.js", ("@js",)),
        ("build/logs/x/y", ("@log",)),
        ("docs/a.md", ("docs@example.org",)),
        ("docs/build/a.md", ("@all",)),
        ("x/apps/y/z", ("@octo",)),
        ("apps/github/z", ()),
        ("scripts/run", ("@a", "@b")),
        ("deep/logs/z", ("@log",)),
    ],
)
def test_the_last_rule_that_matches_names_the_owners(path: str, owners: tuple[str, ...]) -> None:
    assert owners_of(RULES, [path]) == owners


def test_a_hostile_pattern_takes_no_time() -> None:
    rules = parse_owners("\n".join(f"{'**/' * 200}{'*a' * 50}b @x\n{'*a' * 50}b @x" for _ in range(20)))
    began = time.process_time()
    assert owners_of(rules, ["/".join(["a" * 200] * 30)]) == ()
    assert time.process_time() - began < 5
