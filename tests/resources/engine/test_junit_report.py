import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.errors import TestRunError
from resources.engine.junit_report import read_report

REPORT = b"""<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" tests="5">
<testcase classname="src.tests.test_a" name="test_one" file="src/tests/test_a.py" line="1" time="0.25"/>
<testcase classname="src.tests.test_a.TestB" name="test_two[x]" file="src/tests/test_a.py" time="1">
<failure message="assert 1 == 2">at line 5</failure></testcase>
<testcase classname="t" name="skip" time="x"><skipped message="later"/></testcase>
<testcase classname="t" name="both" time="-1"><error message="teardown"/><failure message="call"/></testcase>
<testcase classname="t" name="broken" time="nan"><error message="setup"/></testcase>
</testsuite></testsuites>"""


def test_every_outcome_is_read_with_its_name_and_message() -> None:
    cases = read_report(REPORT)
    assert [(case.name, case.outcome, case.seconds) for case in cases] == [
        ("src/tests/test_a.py::test_one", "passed", 0.25),
        ("src/tests/test_a.py::TestB::test_two[x]", "failed", 1.0),
        ("t::skip", "skipped", 0.0),
        ("t::both", "failed", 0.0),
        ("t::broken", "error", 0.0),
    ]
    assert cases[1].message == "assert 1 == 2\nat line 5"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no report"),
        (b"  \n", "no report"),
        (b"<testsuites><testsuite>", "no JUnit report"),
        (b"<html/>", "no JUnit report"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><testsuites>&b;</testsuites>', "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuites/>', "document type"),
        (b'<?xml version="1.0" encoding="utf-7"?><testsuites/>', "encoding"),
        (b"<testsuites>" + b" " * (33 << 20) + b"</testsuites>", "longer than"),
    ],
)
def test_what_is_no_report_says_so(content: bytes, words: str) -> None:
    with pytest.raises(TestRunError, match=words):
        read_report(content)


@given(st.binary(max_size=300), st.integers(0, len(REPORT)))
def test_a_damaged_report_is_read_or_refused_and_nothing_else(junk: bytes, position: int) -> None:
    with contextlib.suppress(TestRunError):
        read_report(REPORT[:position] + junk + REPORT[position:])
