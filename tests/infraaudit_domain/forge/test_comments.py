"""What a comment says, and that nothing of a commit gets out of the code in it."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.forge.comments import MOST_NEW, comment_of, in_code
from infraaudit_domain.forge.request_verdicts import RequestResult, RequestVerdict
from infraaudit_domain.scans.findings import Finding, Severity

SHA, BASE = "a" * 40, "b" * 40
GUIDE = "https://docs.example.org/policies/s3_1"
BUCKET = Finding("terraform", "CKV_AWS_20", "No public bucket", "main.tf", "aws_s3_bucket.a", 3, 9, guideline=GUIDE)
FAILS = RequestVerdict(BASE, RequestResult.FAILS, "2 new findings: what a tool printed", 2, 1, 3)


def named(number: int, severity: Severity = Severity.LOW) -> Finding:
    return replace(BUCKET, resource=f"aws_s3_bucket.b{number}", severity=severity)


def test_it_says_the_verdict_the_findings_and_what_to_do() -> None:
    text = comment_of("shop", SHA, FAILS, [named(1), named(2, Severity.CRITICAL)], [named(3)])
    assert "**Would be stopped.** `aaaaaaaaaaaa`: `2 new findings`" in text and "printed" not in text
    assert "Open findings: 2 new, 1 fixed, 3 would go live." in text
    assert text.index("critical: ") < text.index("low: ") < text.index("**Fixed**") < text.index("bucket.b3")
    assert f"([how to fix it]({GUIDE}))" in text
    assert f"    infraaudit findings --project shop --commit {SHA[:12]} --new-since {BASE[:12]}" in text
    assert f"    infraaudit explain {named(2).fingerprint[:12]} --project shop" in text


@pytest.mark.parametrize(
    ("verdict", "words"), [(RequestResult.PASSES, "Would be let in"), (RequestResult.UNKNOWN, "Not known whether")]
)
def test_without_findings_it_is_short(verdict: RequestResult, words: str) -> None:
    text = comment_of("shop", SHA, RequestVerdict("", verdict, ""))
    assert words in text and "**New**" not in text and "new-since" not in text and len(text) < 300


def test_it_is_bounded_and_the_rest_is_counted() -> None:
    long = [replace(named(n), file_path="ü" * 4000, check_name="@" * 4000, guideline=GUIDE) for n in range(500)]
    text = comment_of("shop", SHA, FAILS, long, long)
    assert text.count("how to fix it") == MOST_NEW and "- and 480 more" in text and "- and 490 more" in text
    assert len(text.encode()) < 65_000 and len(text) < 32_768


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "https://a.example/)[x](https://evil.example", "https://a.example/ \n# hi", "http://a.b"],
)
def test_a_link_that_is_none_is_left_out(link: str) -> None:
    assert "how to fix it" not in comment_of("shop", SHA, FAILS, [replace(BUCKET, guideline=link)])


_HOSTILE = [
    "``` \n# x",
    "`` ` ``",
    "<img src=x onerror=alert(1)>",
    "@everyone `@team`",
    "\n/merge\n",
    "[a](b)",
    "\u202e",
    " ",
    "",
]


@given(st.one_of(st.text(max_size=300), st.sampled_from(_HOSTILE)))
def test_outside_text_stays_in_code_on_one_line(text: str) -> None:
    code = in_code(text)
    assert code.startswith("`") and code.endswith("`") and code.count("`") == 2 and len(code) > 2
    assert len(code.splitlines()) == 1 and not re.search(r"@(?!\u200b)", code)


@given(st.sampled_from(_HOSTILE), st.sampled_from(_HOSTILE))
def test_no_line_is_the_commits(one: str, other: str) -> None:
    hostile = replace(BUCKET, check_id=one, check_name=other, file_path=other, resource=one)
    plain = comment_of("shop", SHA, FAILS, [BUCKET], [BUCKET]).splitlines()
    lines = comment_of("shop", SHA, replace(FAILS, reason=one), [hostile], [hostile]).splitlines()
    assert len(lines) == len(plain)
    outside = [re.sub(r"`[^`]*`", "", line) for line in lines]
    assert not any("<" in line or "@" in line or "/merge" in line for line in outside)
