import contextlib
import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.machine.unpacking import extract

NAMES = st.sampled_from(["a", "b", "c", "..", ".", "/"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
ENTRIES = st.lists(st.tuples(PATHS, st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE]), PATHS), max_size=8)


def archive(*entries: tuple[str, bytes, str], mode: int = 0o644) -> io.BytesIO:
    """A tar of (name, type, link target or content)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind, text in entries:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, mode
            if kind == tarfile.REGTYPE:
                member.size = len(text.encode())
            else:
                member.linkname = text
            tar.addfile(member, io.BytesIO(text.encode()) if kind == tarfile.REGTYPE else None)
    made.seek(0)
    return made


def test_files_modes_and_inner_links_arrive(tmp_path: Path) -> None:
    extract(archive(("d/run", tarfile.REGTYPE, "#!"), ("d/link", tarfile.SYMTYPE, "../d/run"), mode=0o4755), tmp_path)
    assert (tmp_path / "d/link").read_text() == "#!"
    assert (tmp_path / "d/run").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("to", ["/etc/passwd", "..", "../../x", "sub/../../../x", "b/../c"])
def test_links_that_may_leave_are_left_out(tmp_path: Path, to: str) -> None:
    extract(archive(("a", tarfile.SYMTYPE, to)), tmp_path)
    assert os.listdir(tmp_path) == []


def test_no_file_is_written_through_a_link(tmp_path: Path) -> None:
    entries = [
        ("x", tarfile.SYMTYPE, "../outside"),
        ("x/file", tarfile.REGTYPE, "hello"),
        ("../up", tarfile.REGTYPE, "hello"),
    ]
    extract(archive(*entries), tmp_path / "in")
    assert os.listdir(tmp_path) == ["in"]


def test_devices_and_hard_links_are_left_out(tmp_path: Path) -> None:
    extract(archive(("pipe", tarfile.FIFOTYPE, ""), ("hard", tarfile.LNKTYPE, "/etc/passwd")), tmp_path)
    assert os.listdir(tmp_path) == []


@given(ENTRIES)
def test_nothing_leads_out_whatever_the_archive_holds(entries: list[tuple[str, bytes, str]]) -> None:
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer).resolve() / "in"
        folder.mkdir()
        with contextlib.suppress(OSError):  # a file in place of a folder: the checkout fails, and is removed
            extract(archive(*entries), folder)
        assert os.listdir(outer) == ["in"]
        for root, folders, files in os.walk(folder):
            for name in (*folders, *files):
                try:
                    real = (Path(root) / name).resolve()
                except RuntimeError:
                    continue  # a link to itself leads nowhere
                assert real == folder or folder in real.parents, f"{name} leads to {real}"
