"""Reports as go-junit-report, jest-junit, Surefire, CTest and GoogleTest write them."""

import pytest

from infraaudit_domain.errors import TestRunError
from resources.engine.junit_report import read_report

GO = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1">
	<testsuite name="example.org/shop/cart" tests="3" failures="1" errors="0" id="0" hostname="h" time="0.120">
		<properties><property name="go.version" value="go1.22"></property></properties>
		<testcase name="TestAdd" classname="example.org/shop/cart" time="0.050"></testcase>
		<testcase name="TestSub/zero" classname="example.org/shop/cart" time="0.000">
			<failure message="Failed" type=""><![CDATA[    cart_test.go:9: got 1]]></failure>
		</testcase>
		<testcase name="TestLater" classname="example.org/shop/cart"><skipped message="Skipped"></skipped></testcase>
		<system-out><![CDATA[=== RUN <?xml version="1.0"?>]]></system-out>
	</testsuite>
</testsuites>"""
JEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="2" failures="1" errors="0" time="1.2">
  <testsuite name="cart" errors="0" failures="1" skipped="0" timestamp="2026-01-01T00:00:00" time="0.4" tests="2">
    <testcase classname="cart adds" name="cart adds" time="0.003"></testcase>
    <testcase classname="cart removes" name="cart removes" time="0.001">
      <failure>Error: expect(received).toBe(expected)</failure></testcase>
  </testsuite>
</testsuites>"""
SUREFIRE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="org.example.CartTest" time="1,234.5" tests="2">
  <properties><property name="java.version" value="21"/></properties>
  <testcase name="adds" classname="org.example.CartTest" time="1,234.25"/>
  <testcase name="flaky" classname="org.example.CartTest" time="0.1"><flakyFailure message="once" type="x">
    <stackTrace>at</stackTrace></flakyFailure></testcase>
</testsuite>"""
CTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="(empty)" tests="3" failures="1" disabled="1" skipped="0" hostname="" time="0">
	<testcase name="adds" classname="adds" time="0.01" status="run"><system-out>ok</system-out></testcase>
	<testcase name="breaks" classname="breaks" time="0.01" status="fail"><failure message=""/></testcase>
	<testcase name="later" classname="later" time="0" status="disabled"><disabled message=""/></testcase>
</testsuite>"""
GOOGLETEST = """<testsuites><testsuite name="Cart"><testcase name="Adds" status="run" result="completed" classname="Cart"/>
<testcase name="Later" status="notrun" result="suppressed" classname="Cart"/></testsuite></testsuites>"""
NESTED = "<testsuites><testsuite><testsuite><testsuite><testcase name='deep'/></testsuite></testsuite></testsuite></testsuites>"


@pytest.mark.parametrize(
    ("report", "cases"),
    [
        (
            GO,
            [
                ("example.org/shop/cart::TestAdd", "passed", 0.05),
                ("example.org/shop/cart::TestSub/zero", "failed", 0.0),
                ("example.org/shop/cart::TestLater", "skipped", 0.0),
            ],
        ),
        (JEST, [("cart adds::cart adds", "passed", 0.003), ("cart removes::cart removes", "failed", 0.001)]),
        (
            SUREFIRE,
            [("org.example.CartTest::adds", "passed", 1234.25), ("org.example.CartTest::flaky", "passed", 0.1)],
        ),
        (
            CTEST,
            [
                ("adds::adds", "passed", 0.01),
                ("breaks::breaks", "failed", 0.01),
                ("later::later", "skipped", 0.0),
            ],
        ),
        (GOOGLETEST, [("Cart::Adds", "passed", 0.0), ("Cart::Later", "skipped", 0.0)]),
        (NESTED, [("deep", "passed", 0.0)]),
        ("<testsuites/>", []),
    ],
    ids=["go", "jest", "surefire", "ctest", "googletest", "nested", "nothing"],
)
def test_each_producer_is_understood(report: str, cases: list[tuple[str, str, float]]) -> None:
    assert [(case.name, case.outcome, case.seconds) for case in read_report(report.encode())] == cases
    assert read_report(b"\xef\xbb\xbf" + report.encode()) == read_report(report.encode()), "a mark of the byte order"


@pytest.mark.parametrize("between", ["", "\n"])
def test_reports_that_were_put_together_are_all_read(between: str) -> None:
    together = between.join((SUREFIRE, GO, JEST, CTEST)).encode()
    assert len(read_report(together)) == 10


def test_a_broken_one_among_several_is_no_report() -> None:
    with pytest.raises(TestRunError, match="no JUnit report"):
        read_report(f"{SUREFIRE}\n{GO[:-20]}".encode())
    with pytest.raises(TestRunError, match="documents"):
        read_report(('<?xml version="1.0"?><testsuite></testsuite>' * 2001).encode())
