"""Bodies of webhooks that nobody's forge sends: what they may cost, and that they end no process."""

import subprocess
import sys

import pytest

from infraaudit_domain.errors import MalformedPushError
from service.body import IN_MEMORY, Body, read_json

LARGE = b'"pad": "%s"' % (b"x" * IN_MEMORY)


def test_a_number_of_thousands_of_digits_is_malformed() -> None:
    # In a process of its own: a parser written in C ends the process that it crashes in.
    script = """
from service.body import IN_MEMORY, Body, MalformedPushError, read_json
body = Body()
body.write(b'{"pad": "%s", "n": %s}' % (b"x" * IN_MEMORY, b"9" * 5000))
try:
    read_json(body)
except MalformedPushError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "the body is not JSON in UTF-8\n"), done.stderr


@pytest.mark.parametrize("inner", [b'"n": 1e999', b'"n": "\xff"', b'"n": "\xed\xa0\x80"', b'"n": 1} x'])
def test_a_large_body_that_is_no_json_is_malformed(inner: bytes) -> None:
    with Body() as body:
        body.write(b"{" + LARGE + b", " + inner + b"}")
        with pytest.raises(MalformedPushError):
            read_json(body)
