"""What is measured is what is there, also in a folder where others create and delete."""

import shutil
import threading
from pathlib import Path

from resources.machine.disk_use import bytes_below


def test_regular_files_count_and_links_do_not(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/one").write_bytes(b"x" * 1000)
    (tmp_path / "two").write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    assert bytes_below(tmp_path) == 1010
    assert bytes_below(tmp_path / "absent") == 0


def test_folders_that_vanish_meanwhile_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "stays").write_bytes(b"x" * 1000)
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            for number in range(20):
                (tmp_path / f"checkout-{number}" / "a/b/c").mkdir(parents=True)
            for number in range(20):
                shutil.rmtree(tmp_path / f"checkout-{number}")

    busy = threading.Thread(target=churn)
    busy.start()
    try:
        assert {bytes_below(tmp_path) for _ in range(200)} == {1000}
    finally:
        done.set()
        busy.join()
