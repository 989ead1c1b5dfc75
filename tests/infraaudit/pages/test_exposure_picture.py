"""The picture of the ways back: how long each bar is, on which side, and which commit is advised."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from infraaudit.pages.audit.exposure_picture import SHOWN, draw_exposures
from infraaudit_domain.delivery.advice import Candidate
from infraaudit_domain.delivery.least_exposure import Exposure, least_first
from infraaudit_domain.scans.findings import Severity
from tests.infraaudit.questions.replay.random_pasts import POOL

CRITICAL, HIGH, OTHER_HIGH = POOL[:3]
FIX, BACK, SAME, HOSTILE = "a" * 40, "b" * 40, "c" * 40, "<script>alert(1)</script>"


def exposures(*candidates: Candidate, hours: float = 10) -> list[Exposure]:
    return least_first(candidates, hours)


def rows(found: Sequence[Exposure], advised: str | None = None) -> list[ElementTree.Element]:
    """What is drawn of each commit: a link with its shapes."""
    return ElementTree.fromstring(str(draw_exposures(found, advised, lambda sha: f"/commits/{sha}"))).findall("a")


def bars(row: ElementTree.Element, middle: float) -> list[tuple[str, str, float]]:
    """Severity, side and length of every bar."""
    found = [
        (each.get("class") or "", float(each.get("x") or 0), float(each.get("width") or 0))
        for each in row.findall("rect")
    ]
    return [(severity, "left" if x < middle else "right", width) for severity, x, width in found]


def test_bars_are_as_long_as_their_finding_hours_avoided_to_the_left_returned_to_the_right() -> None:
    found = exposures(
        Candidate(FIX, True, True, returning=(HIGH,), leaving=(CRITICAL,)),
        Candidate(BACK, True, True, returning=(HIGH, OTHER_HIGH), leaving=()),
    )
    picture = ElementTree.fromstring(str(draw_exposures(found, None, str)))
    middle = float(next(each for each in picture.findall("line")).get("x1") or 0)
    first, second = (bars(row, middle) for row in picture.findall("a"))
    assert [(severity, side) for severity, side, _ in first] == [("critical", "left"), ("high", "right")]
    assert [(severity, side) for severity, side, _ in second] == [("high", "right")]
    assert first[0][2] == first[1][2] > 0 and round(second[0][2] / first[1][2], 2) == 2
    numbers = [[each.text for each in row.findall("text")[1:]] for row in picture.findall("a")]
    assert numbers == [["10", "10"], ["0", "20"]]


def test_what_exposes_least_is_on_top_and_the_advised_one_is_named_and_each_links_to_its_commit() -> None:
    found = exposures(
        Candidate(BACK, True, True, returning=(CRITICAL,), leaving=()),
        Candidate(FIX, True, True, returning=(), leaving=(HIGH,)),
        Candidate(SAME, False, True, returning=(), leaving=()),
    )
    drawn = rows(found, advised=FIX)
    assert [row.get("href") for row in drawn] == [f"/commits/{sha}" for sha in (FIX, SAME, BACK)]
    names = [row.find("text") for row in drawn]
    assert [(each.text, each.get("class")) for each in names if each is not None] == [
        ("aaaaaaa advised", "good"), ("ccccccc", "bad"), ("bbbbbbb", "bad")
    ]  # fmt: skip
    assert [row.findtext("title") for row in drawn][1:] == [
        "cccccccccccc\navoided: none\nreturned: none\nits tests are not green",
        "bbbbbbbbbbbb\navoided: none\nreturned: 10 critical\n1 finding would return",
    ]


def test_unknown_ones_are_left_out_and_where_nothing_is_known_there_is_no_picture() -> None:
    unknown = Candidate(BACK, True, True, returning=None, leaving=None)
    assert draw_exposures([], None, str) == draw_exposures(exposures(unknown), None, str) == ""
    assert len(rows(exposures(unknown, Candidate(FIX, True, True, returning=(), leaving=())))) == 1
    many = (Candidate(f"{number:040x}", True, True, returning=(), leaving=()) for number in range(SHOWN + 3))
    assert len(rows(exposures(*many))) == SHOWN


def test_text_of_outside_is_escaped_and_every_severity_has_its_class() -> None:
    one = Candidate(FIX, True, True, returning=tuple(POOL), leaving=(), rejected=HOSTILE)
    picture = str(draw_exposures(exposures(one), None, lambda sha: f'/"{HOSTILE}'))
    assert "<script>" not in picture and "&lt;script&gt;" in picture
    ElementTree.fromstring(picture)
    classes = re.findall(r'<rect class="(\w+)"', picture)
    assert classes == [severity.value for severity in Severity if any(each.severity is severity for each in POOL)]
