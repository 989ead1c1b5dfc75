"""Code as people are shown it: numbered, bounded, and with no secret in it."""

import time

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("- name: DB_PASSWORD\n  value: hunter2", "- name: DB_PASSWORD\n  value: ***"),
        ("- value: hunter2\n  name: DB_PASSWORD", "- value: ***\n  name: DB_PASSWORD"),
        ('- name: DB_PWD\n\n  # why\n  value: "hunter2"', "- name: DB_PWD\n\n  # why\n  value: ***"),
        ('- {name: API_TOKEN, value: "hunter2"}', "- {name: API_TOKEN, value: ***}"),
        ('[{"value": "hunter2", "name": "API_TOKEN"}]', '[{"value": ***, "name": "API_TOKEN"}]'),
        ('{\n  "name": "DB_PASSWORD",\n  "value": "hunter2"\n}', '{\n  "name": "DB_PASSWORD",\n  "value": ***\n}'),
        ('name = "DB_PASSWORD"\nvalue = "hunter2"', 'name = "DB_PASSWORD"\nvalue = ***'),
        ('set {\n  name  = "auth.token"\n  value = "hunter2"\n}', 'set {\n  name  = "auth.token"\n  value = ***\n}'),
        ("- ParameterKey: DBPassword\n  ParameterValue: hunter2", "- ParameterKey: DBPassword\n  ParameterValue: ***"),
        ("- name: DB_PASSWORD\n  value: |\n    hunter2\n- b: 1", "- name: DB_PASSWORD\n  value: ***\n***\n- b: 1"),
        ("a:\n  password: |\n    hunter2\n\n    hunter2\n  b: 1", "a:\n  password: ***\n***\n***\n***\n  b: 1"),
        ("- password: >-\n    hunter2\n  b: 1", "- password: ***\n***\n  b: 1"),
        ("password:\n  hunter2\nb: 1", "password:\n***\nb: 1"),
        ("password = <<-EOT\n  hunter2\nEOT\nb = 1", "password = ***\n***\nEOT\nb = 1"),
        ("password: correct hunter2 staple", "password: ***"),
        ('password = "correct hunter2 staple"', 'password = "***"'),
        ("ENV DB_PASSWORD hunter2 more", "ENV DB_PASSWORD ***"),
    ],
)
def test_a_value_is_masked_by_the_name_beside_or_above_it(text: str, shown: str) -> None:
    assert "\n".join(line for _, line in code_lines(text, 1, 99)) == shown


SECRET_OBJECT = """\
kind: ConfigMap
data:
  plain: shown
---
apiVersion: v1
data:
  user: aHVudGVyMg==
  # hunter2
  file: |
    hunter2
metadata: {name: shop}
stringData: {db: hunter2}
kind: Secret
"""


def test_nothing_of_a_secret_object_is_shown_but_its_names() -> None:
    shown = [line for _, line in code_lines(SECRET_OBJECT, 1, 99)]
    assert shown[:8] == [
        "kind: ConfigMap",
        "data:",
        "  plain: shown",
        "---",
        "apiVersion: v1",
        "data:",
        "  user: ***",
        "***",
    ]
    assert shown[8:] == ["  file: ***", "***", "metadata: {name: shop}", "stringData: ***", "kind: Secret", ""]
    as_json = '{\n  "kind": "Secret",\n  "data": {\n    "user": "aHVudGVyMg=="\n  }\n}'
    assert [line for _, line in code_lines(as_json, 3, 5)] == ['  "data": {', '    "user": ***', "  }"]
    assert "aHVu" not in numbered(code_lines('{"kind": "Secret", "data": {"user": "aHVudGVyMg=="}}', 1, 1))
    assert [line for _, line in code_lines(SECRET_OBJECT, 10, 10)] == ["***"], "also where only a part is shown"


@pytest.mark.parametrize(
    "text",
    [
        "- name: API_TOKEN\n  valueFrom:\n    secretKeyRef: {name: shop, key: api}",
        "- name: LOG_LEVEL\n  value: debug\n- name: API_TOKEN\n  valueFrom: {secretKeyRef: {name: a, key: b}}",
        '- name: DB_PASSWORD\n  value: "$(OTHER)"\n- name: PORT\n  value: "8080"',
        'name = "DB_PASSWORD"\nvalue = var.password',
        "automountServiceAccountToken: false  # as it should be",
        "secrets:\n  - name: shop\n    mode: 288",
        "metadata:\n  name: token-service\nspec:\n  value: 3",
    ],
)
def test_values_of_other_names_stay_readable(text: str) -> None:
    assert "\n".join(line for _, line in code_lines(text, 1, 99)) == text


@pytest.mark.parametrize(
    "text",
    ["value: a\n" * 5_000, "".join(" " * n + "data:\n" for n in range(1500)) + "kind: Secret",
     "".join(" " * n + "password: |\n" for n in range(1500))],
    ids=["values", "data", "blocks"],
)  # fmt: skip
def test_a_text_that_was_made_to_take_long_does_not(text: str) -> None:
    began = time.process_time()
    code_lines(text, 1, 10)
    assert time.process_time() - began < 2
