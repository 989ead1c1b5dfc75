"""Code as people are shown it: numbered, bounded, and with no secret in it."""

import pytest

from infraaudit_domain.reporting.code_lines import MOST_LINES, code_lines, numbered

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "line",
    [
        f'  password = "{SECRET}"',
        f"export AWS_SECRET_ACCESS_KEY={SECRET}",
        f'  "db_password": "{SECRET}",',
        f"      DB_PASSPHRASE: {SECRET}",
        f"  secret_access_key => '{SECRET}'",
        f"ENV API_TOKEN={SECRET}",
        f"password: {SECRET.lower()}.x.y-z!",
        f"url: https://user:{SECRET}@host/path",
    ],
)
def test_what_is_named_as_a_secret_is_masked(line: str) -> None:
    ((_, shown),) = code_lines(line, 1, 1)
    assert SECRET not in shown and "***" in shown and shown.startswith(line[:4])


@pytest.mark.parametrize(
    "line",
    [
        "  automountServiceAccountToken: false",
        "  secret_rotation_days = 30",
        "  password = var.password",
        "  token = data.vault_secret.token",
        '  password = "${random_password.db.result}"',
        '  cidr_blocks = ["0.0.0.0/0"]',
    ],
)
def test_what_a_finding_is_about_stays_readable(line: str) -> None:
    assert code_lines(line, 1, 1) == [(1, line)]


def test_of_a_line_with_a_secret_only_the_name_is_left() -> None:
    text = f'a = 1\n  thing = "{SECRET}"\nRUN login {SECRET}\n-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----\nb = 2'
    shown = numbered(code_lines(text, 1, 7, {2, 3}))
    assert SECRET not in shown
    assert shown.split("\n") == ["1  a = 1", "2    thing = ***", "3  ***", "4  ***", "5  ***", "6  ***", "7  b = 2"]


def test_lines_are_bounded_and_are_those_of_the_scanner() -> None:
    text = "\n".join(["x" * 1000, "a\x0cb\u2028c", *map(str, range(100))])
    lines = code_lines(text, 1, 500)
    assert len(lines) == MOST_LINES and lines[0][1] == "x" * 300 + " …" and lines[2] == (3, "0")
    assert code_lines("a\nb", 5, 9) == [] and code_lines("a\r\nb", 0, 1) == [(1, "a")]
