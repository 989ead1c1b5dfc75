"""Read a JUnit report that the tests of a hostile commit wrote.

It is read as a stream and no document is built: what is kept is bounded by the number of tests and the length of their
messages, whatever the report consists of. Not by junitparser, which builds every element first: a report of empty suites
takes gigabytes. Deliberately absent: trust in what it says.
"""

import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase
from infraaudit_domain.errors import TestRunError, excerpt

REPORT_LIMIT = 32 * 1024 * 1024
_CASES_LIMIT = 100_000
_ELEMENTS_LIMIT = 1_000_000
_DEPTH_LIMIT = 50
_ATTRIBUTES_LIMIT = 100
_TAG_LIMIT = 2 * 1024 * 1024
"""Bytes that may pass without a tag or a text ending."""
_PIECE = 64 * 1024
_MESSAGE_LENGTH = 4000
_DOCUMENTS_LIMIT = 2000
# After the end of a report: within one the same words stand as text of a test.
_DECLARATION = re.compile(rb"(?:(?<=</testsuite>)|(?<=</testsuites>))\s*(?=<\?xml )")
# What CTest and GoogleTest say beside the elements, or instead of them.
_OF_STATUS = {"fail": CaseOutcome.FAILED, "notrun": CaseOutcome.SKIPPED, "disabled": CaseOutcome.SKIPPED}
_OUTCOMES = {"failure": CaseOutcome.FAILED, "error": CaseOutcome.ERROR, "skipped": CaseOutcome.SKIPPED}


def read_report(content: bytes) -> tuple[TestCase, ...]:
    """The tests of a JUnit report. Raises TestRunError where it is empty, broken, too long, or not a report."""
    if not content.strip():
        raise TestRunError("The tests wrote no report.")
    if len(content) > REPORT_LIMIT:
        raise TestRunError(f"The tests' report is longer than {REPORT_LIMIT >> 20} MB.")
    # No producer writes a document type: entities could read files or fill the memory.
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
        raise TestRunError("The tests' report declares a document type; it is not read.")
    declared = re.match(rb"\s*<\?xml[^>]{0,200}?encoding=[\"']([^\"']*)", content)
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise TestRunError("The tests' report has another encoding than UTF-8; it is not read.")
    try:
        return _Reader().read(_documents(content))
    except (expat.ExpatError, ValueError) as error:
        raise TestRunError(f"The tests' report is no JUnit report: {excerpt(str(error), 300)}") from error


def _documents(content: bytes) -> list[bytes]:
    """The reports of a file: Surefire writes one for each class, which are put together with cat."""
    pieces = _DECLARATION.split(content, maxsplit=_DOCUMENTS_LIMIT)
    if len(pieces) > _DOCUMENTS_LIMIT:
        raise ValueError(f"it consists of more than {_DOCUMENTS_LIMIT} documents")
    return [piece for piece in pieces if piece.strip()]


@dataclass
class _Reader:
    """Collects the tests while the parser passes over a report."""

    cases: list[TestCase] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    elements: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    outcome: CaseOutcome = CaseOutcome.PASSED
    message: str = ""
    heading: str = ""
    text: list[str] = field(default_factory=list)
    length: int = 0

    def read(self, documents: Sequence[bytes]) -> tuple[TestCase, ...]:
        for content in documents:
            self.read_one(content)
        return tuple(self.cases)

    def read_one(self, content: bytes) -> None:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler = self.characters
        for place in range(0, len(content), _PIECE):
            parser.Parse(content[place : place + _PIECE], False)
            if place + _PIECE - parser.CurrentByteIndex > _TAG_LIMIT:
                raise ValueError(f"it has a tag of more than {_TAG_LIMIT >> 20} MB")
        parser.Parse(b"", True)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.elements += 1
        if not self.path and name not in ("testsuites", "testsuite"):
            raise ValueError(f"it begins with <{name}>")
        if len(self.path) >= _DEPTH_LIMIT or len(attributes) > _ATTRIBUTES_LIMIT or self.elements > _ELEMENTS_LIMIT:
            raise ValueError(f"it has more than {_ELEMENTS_LIMIT} elements, or {_DEPTH_LIMIT} inside each other")
        if name == "testcase":
            if len(self.cases) >= _CASES_LIMIT:
                raise TestRunError(f"The tests' report lists more than {_CASES_LIMIT} tests.")
            self.attributes, self.outcome, self.message = (
                attributes,
                _OF_STATUS.get(attributes.get("status", ""), CaseOutcome.PASSED),
                "",
            )
        elif self._is_result(name):
            self.heading, self.text, self.length = attributes.get("message", ""), [], 0
        self.path.append(name)

    def characters(self, text: str) -> None:
        if len(self.path) > 1 and self._is_result(self.path[-1], self.path[-2]) and self.length < _MESSAGE_LENGTH * 20:
            self.text.append(text)
            self.length += len(text)

    def end(self, name: str) -> None:
        self.path.pop()
        if name == "testcase":
            seconds = _seconds(self.attributes.get("time"))
            message = excerpt(self.message, _MESSAGE_LENGTH)
            self.cases.append(TestCase(_name(self.attributes), self.outcome, seconds, message))
        elif self._is_result(name):
            kind = _OUTCOMES[name]
            # A test that failed and then broke in its teardown is reported with both.
            if self.outcome in (CaseOutcome.PASSED, CaseOutcome.SKIPPED) or kind is CaseOutcome.FAILED:
                self.outcome, self.message = kind, f"{self.heading}\n{''.join(self.text)}"

    def _is_result(self, name: str, parent: str = "") -> bool:
        return name in _OUTCOMES and (parent or (self.path[-1] if self.path else "")) == "testcase"


def _name(attributes: Mapping[str, str]) -> str:
    """``file::class::test``, as pytest itself names a test."""
    file = attributes.get("file", "")
    module = re.sub(r"\.py$", "", file).replace("/", ".")
    class_name = attributes.get("classname", "")
    if module and (class_name == module or class_name.startswith(f"{module}.")):
        class_name = class_name[len(module) + 1 :]
    if file.endswith(".py"):  # Elsewhere it is a package of Java, or an address of Go.
        class_name = class_name.replace(".", "::")
    parts = [part for part in (file, class_name, attributes.get("name", "")) if part]
    return excerpt("::".join(parts).replace("\n", " "), 500) or "(a test without a name)"


def _seconds(time: str | None) -> float:
    try:
        seconds = float((time or "0")[:40].replace(",", ""))  # Surefire writes 1,234.5
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
