"""Run one hostile case as a child with little memory and time, so that a bound that does not hold shows as its end."""

import os
import pickle
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from infraaudit_domain.errors import InfraAuditError

MEMORY = 400 << 20
"""Beside what the test process has already."""


def said(case: Callable[[], object], seconds: int = 20) -> str:
    """What the product answers, or its refusal; ``TRACEBACK``, ``TIME`` or ``MEMORY`` where a bound does not hold."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(case, writing, seconds)
    os.close(writing)
    end = time.monotonic() + 3 * seconds
    with os.fdopen(reading, "rb") as stream:
        content = stream.read()
    while not (done := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < end:
        time.sleep(0.01)
    if not done[0]:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return str(pickle.loads(content)) if content else f"TIME or killed ({done[1]})"


def _run(case: Callable[[], object], writing: int, seconds: int) -> None:
    with open("/proc/self/statm") as stream:
        now = int(stream.read().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (now + MEMORY, now + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    try:
        answer = str(case())
    except InfraAuditError as error:
        answer = f"{type(error).__name__}: {error}"
    except MemoryError:
        answer = "MEMORY"
    except BaseException as error:
        answer = f"TRACEBACK {type(error).__name__}: {error}"
    with open(writing, "wb") as stream:
        pickle.dump(answer[:4000], stream)
    os._exit(0)
