"""Read a JUnit report that the tests of a hostile commit wrote."""

import io
import re
import tarfile
from collections.abc import Iterator
from typing import Any

from infraaudit_domain.errors import TestRunError, excerpt
from infraaudit_domain.test_runs import CaseOutcome, TestCase

REPORT_LIMIT = 32 * 1024 * 1024
_CASES_LIMIT = 100_000
_MESSAGE_LENGTH = 4000


def read_report(content: bytes) -> tuple[TestCase, ...]:
    """The tests of a JUnit report. Raises TestRunError where it is empty, broken, too long, or not a report."""
    if not content.strip():
        raise TestRunError("pytest wrote no report.")
    if len(content) > REPORT_LIMIT:
        raise TestRunError(f"The tests' report is longer than {REPORT_LIMIT >> 20} MB.")
    # pytest writes UTF-8 without a document type: entities could read files or fill the memory.
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise TestRunError("The tests' report declares a document type, which pytest never does; it is not read.")
    declared = re.match(rb"\s*<\?xml[^>]*?encoding=[\"']([^\"']*)", content)
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise TestRunError("The tests' report has another encoding than UTF-8; it is not read.")
    try:
        cases = tuple(_cases(content))
    except TestRunError:
        raise
    except Exception as error:
        raise TestRunError(f"The tests' report is no JUnit report: {excerpt(str(error), 300)}") from error
    return cases


def _cases(content: bytes) -> Iterator[TestCase]:
    from junitparser import JUnitXml, TestSuite

    report: Any = JUnitXml.fromstring(content)
    suites = [report] if isinstance(report, TestSuite) else list(report)
    count = 0
    for suite in suites:
        for case in suite:
            count += 1
            if count > _CASES_LIMIT:
                raise TestRunError(f"The tests' report lists more than {_CASES_LIMIT} tests.")
            yield _case(case)


def _case(case: Any) -> TestCase:
    from junitparser import Error, Failure, Skipped

    kinds = {Failure: CaseOutcome.FAILED, Error: CaseOutcome.ERROR, Skipped: CaseOutcome.SKIPPED}
    outcome, message = CaseOutcome.PASSED, ""
    for result in case.result:
        kind = kinds.get(type(result))
        # A test that failed and then broke in its teardown is reported with both.
        if kind is not None and (outcome in (CaseOutcome.PASSED, CaseOutcome.SKIPPED) or kind is CaseOutcome.FAILED):
            outcome, message = kind, f"{result.message or ''}\n{result.text or ''}"
    return TestCase(_name(case), outcome, _seconds(case._elem.get("time")), excerpt(message, _MESSAGE_LENGTH))


def _name(case: Any) -> str:
    """``file::class::test``, as pytest itself names a test."""
    file = case._elem.get("file") or ""
    module = re.sub(r"\.py$", "", file).replace("/", ".")
    class_name = case.classname or ""
    if module and (class_name == module or class_name.startswith(f"{module}.")):
        class_name = class_name[len(module) + 1 :]
    parts = [part for part in (file, class_name.replace(".", "::"), case.name or "") if part]
    return excerpt("::".join(parts).replace("\n", " "), 500) or "(a test without a name)"


def _seconds(time: object) -> float:
    try:
        seconds = float(str(time or 0))
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < 1e7 else 0.0


def empty_report(name: str, owner: int) -> bytes:
    """An archive with the report as the tests find it: an empty file that they may write, in a folder that they may
    not."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.uid = member.gid = owner
        member.mode = 0o600
        archive.addfile(member)
    return buffer.getvalue()


def only_file(archive: bytes) -> bytes:
    """The report, extracted from the archive that the engine makes of it. Raises TestRunError."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as found:
            member = found.next()
            if member is None or not member.isreg():
                raise TestRunError("The tests' report is no plain file.")
            if member.size > REPORT_LIMIT:
                raise TestRunError(f"The tests' report is longer than {REPORT_LIMIT >> 20} MB.")
            stream = found.extractfile(member)
            return stream.read() if stream else b""
    except tarfile.TarError as error:
        raise TestRunError("The tests' report could not be read out of the container.") from error
