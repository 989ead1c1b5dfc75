"""What a worker does with an error of one round: tell it, and go on; what the round was for is still there."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from infraaudit_domain.errors import HistoryError


@contextmanager
def faults_told(log: logging.Logger, failed: str) -> Iterator[None]:
    """End a round at its error. A database that is away is told in a line, a defect of ours with its traceback."""
    try:
        yield
    except HistoryError as error:
        log.error("%s", error)
    except Exception:
        log.exception(failed)
