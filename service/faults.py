"""Error policy of the background workers: log it and continue with the next round; unfinished work stays queued."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from infraaudit_domain.errors import HistoryError


@contextmanager
def errors_logged(log: logging.Logger, failed: str) -> Iterator[None]:
    """End a round at its error. An unreachable database is logged in a line, a defect of ours with its traceback."""
    try:
        yield
    except HistoryError as error:
        log.error("%s", error)
    except Exception:
        log.exception(failed)
