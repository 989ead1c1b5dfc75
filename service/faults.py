"""Error policy of the background workers: log it and continue with the next round; unfinished work stays queued."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from infraaudit_domain.errors import InfraAuditError


@contextmanager
def errors_logged(log: logging.Logger, failed: str) -> Iterator[None]:
    """End a round at its error. What the outside causes is logged in a line, a defect of ours with its traceback."""
    try:
        yield
    except InfraAuditError as error:
        log.error("%s: %s", failed, error)
    except Exception:
        log.exception(failed)
