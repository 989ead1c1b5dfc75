"""What a step prints: into its file in Dagster's home, and on to where the run's own output goes.

Dagster starts a `tail` and a Python process that watches it for each stream of each step; here a thread of the step's
process copies what was written. Deliberately absent: where the files are, and what the UI reads (Dagster).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage import local_compute_log_manager
from dagster._utils import ensure_file

_SECONDS_BETWEEN_LOOKS = 0.5


def copy_without_programs() -> None:
    """Have this process copy the output of its steps itself."""
    local_compute_log_manager.mirror_stream_to_file = mirrored  # type: ignore[assignment,attr-defined]


@contextmanager
def mirrored(stream: TextIO, path: str) -> Iterator[tuple[None, None]]:
    """Send a stream to a file, and copy what is written there to where the stream went before."""
    ensure_file(path)
    ended = threading.Event()
    with open(os.dup(stream.fileno()), "wb", buffering=0) as before, open(path, "rb", buffering=0) as written:
        written.seek(0, os.SEEK_END)

        def copy() -> None:
            is_last = False
            while not is_last:
                is_last = ended.wait(_SECONDS_BETWEEN_LOOKS)
                while chunk := written.read(65536):
                    before.write(chunk)

        copier = threading.Thread(target=copy, daemon=True, name="copy of the output")
        copier.start()
        try:
            with redirect_to_file(stream, path):
                yield None, None
        finally:
            ended.set()
            copier.join()
