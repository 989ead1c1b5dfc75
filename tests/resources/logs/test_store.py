from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraaudit_domain.log_lines import level_of, mask_secrets
from resources.logs import store as module
from resources.logs.store import LogStore
from resources.targets.target import LogLine

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(seconds: float, text: str, pod: str = "a", sha: str = "c1") -> LogLine:
    return LogLine(NOON + timedelta(seconds=seconds), "web", text, pod, sha)


def since(store: LogStore, everything: list[LogLine]) -> Iterator[LogLine]:
    start = store.last("production")
    return (one for one in everything if start is None or one.time > start)


def texts(store: LogStore, **wanted: object) -> list[str]:
    return [row["text"] for row in store.read("production", **wanted)]


def test_no_line_is_lost_or_doubled_however_often_it_is_read(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    printed = [line(1, "one"), line(1, "same"), line(1, "same")]
    assert len(store.append("production", since(store, printed))) == 3
    assert store.append("production", since(store, printed)) == []
    # Another pod printed before the newest line that is kept, and was read after it.
    printed += [line(0.5, "late", pod="b"), line(1, "same"), line(90_000, "next day")]
    assert [row["text"] for row in store.append("production", since(store, printed))] == ["late", "same", "next day"]
    assert texts(store) == ["late", "one", "same", "same", "same", "next day"]


def test_a_half_written_line_costs_only_itself(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    store.append("production", [line(1, "one")])
    with store.file("production").open("ab") as stream:
        stream.write(b'{"time": "2026-03-01T12:0')
    store.append("production", [line(2, "two")])
    assert texts(store) == ["one", "two"]


def test_days_are_compressed_still_read_and_deleted_by_age_and_size(tmp_path: Path) -> None:
    store, day = LogStore(tmp_path), 86_400
    store.append("production", [line(n * day, f"day {n}") for n in range(5)])
    assert LogStore(tmp_path, days=3).tidy("production", today=NOON + timedelta(days=4)) == 1
    assert texts(store) == ["day 1", "day 2", "day 3", "day 4"]
    assert len(list(tmp_path.rglob("*.gz"))) == 2
    store.append("production", [line(day + 5, "late")])
    assert texts(store, since=NOON + timedelta(days=1, seconds=1)) == ["late", "day 2", "day 3", "day 4"]
    assert LogStore(tmp_path, max_bytes=10).tidy("production", today=NOON + timedelta(days=4)) == 3
    assert texts(store) == ["day 4"], "the newest day stays"


def test_reading_by_level_commit_and_text(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    store.append("production", [line(1, "ERROR disk"), line(2, "error net", sha="d2"), line(3, "fine")])
    assert texts(store, level="error") == ["ERROR disk", "error net"]
    assert texts(store, level="error", sha="d") == ["error net"]
    assert texts(store, matching=lambda text: "disk" in text) == ["ERROR disk"]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"level": "WARN", "message": "error"}', "warning"),
        ("FATAL: gone", "error"),
        ("terror", "info"),
        ("[1, 2]", "info"),
    ],
)
def test_level(text: str, level: str) -> None:
    assert level_of(text) == level


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAABCDEFGHIJKLMNOP", "ghp_" + "a" * 36, "github_pat_" + "a" * 40, "glpat-" + "a" * 20, "xoxb-1234567890-abcdef",
        "AIza" + "a" * 35, "sk_live_" + "a" * 24, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "npm_" + "a" * 36,
        "SG." + "a" * 22 + "." + "b" * 43,
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_masked_without_a_name_beside_it(secret: str) -> None:
    assert mask_secrets(f"connected with {secret} ok") == "connected with *** ok"


def test_a_private_key_in_one_line_is_masked() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\\nMIIabc\\n-----END RSA PRIVATE KEY-----"
    assert mask_secrets(f"read {key} ok") == "read *** ok"


def test_secrets_are_masked_and_the_rest_is_kept() -> None:
    masked = mask_secrets(
        'password=hunter2 x "api_key": "abc" postgres://me:pw@host/db Authorization: Bearer abc.def ok'
    )
    assert masked == 'password=*** x "api_key": "***" postgres://me:***@host/db Authorization: Bearer *** ok'


@given(st.text())
def test_no_line_breaks_them(text: str) -> None:
    assert level_of(mask_secrets(text)) in ("debug", "info", "warning", "error")


def test_a_collector_that_lives_on_reads_each_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 4000)
    store, start = LogStore(tmp_path), datetime.now(UTC).replace(hour=12)
    read: list[int] = []
    rows = module._rows

    def counted(path: Path, *place: Any) -> Iterator[module.Row]:
        for row in rows(path, *place):
            read.append(1)
            yield row

    monkeypatch.setattr(module, "_rows", counted)
    total = 0
    for minute in range(60):
        lines = [LogLine(start + timedelta(minutes=minute, seconds=n), "web", f"line {minute} {n} {'x' * 60}", "pod", "c")
                 for n in range(20)]  # fmt: skip
        again = lines + [
            LogLine(
                start + timedelta(minutes=minute - 1, seconds=19), "web", f"line {minute - 1} 19 {'x' * 60}", "pod", "c"
            )
        ] * (minute > 0)
        assert len(store.append("live", again)) == 20
        total += 20
        ((_, counts),) = store.counts("live", ())
        assert sum(counts.values()) == total
        assert store.last("live") == start + timedelta(minutes=minute, seconds=19) - module.OVERLAP
    assert len(read) < 60 * (20 + 2 * 400), "and not each of 1,200 lines three times an hour"
    fresh = LogStore(tmp_path)
    assert [sum(counts.values()) for _, counts in fresh.counts("live", ())] == [total]
