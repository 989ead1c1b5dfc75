"""Push an image to a registry, and learn the digest it has there.

The engine's own program pushes, so its credential store and helpers are used. Deliberately absent: passwords.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from infraaudit_domain.delivery.images import Image
from infraaudit_domain.errors import ConfigurationError, EngineError, excerpt
from resources.engine import Engine
from resources.machine import process

TRIES = 4
_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_REFUSED = re.compile(
    r"denied|unauthorized|authentication required|no basic auth credentials|invalid reference format|insufficient_scope"
    r"|HTTP response to HTTPS client|certificate signed by unknown authority|name invalid|must be lowercase",
    re.IGNORECASE,
)


def push(
    engine: Engine,
    image: Image,
    repository: str,
    *,
    timeout: float = 900,
    pause: float = 1,
    on_line: Callable[[str], None] = lambda line: None,
) -> str:
    """Push an image to ``host[:port]/path`` and return ``repository@sha256:…`` as the registry reports it.

    The tag there is that of the image's own reference. Transient failures are retried, with ``pause`` seconds
    before the second attempt, doubled before each further one. ``timeout`` is in seconds for each attempt.

    Raises ConfigurationError where the registry refuses us, EngineError where it does not answer.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    reference = f"{repository}:{image.reference.rpartition(':')[2]}"
    engine.tag(image.image_id, reference)
    patience = Retrying(
        retry=retry_if_exception_type(EngineError),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=pause, min=pause, max=30),
        before_sleep=lambda state: on_line(f"push of {reference} failed, trying again"),
        reraise=True,
    )
    digest = patience(_push_once, engine, reference, timeout, on_line)
    return f"{repository}@{digest}"


def _push_once(engine: Engine, reference: str, timeout: float, on_line: Callable[[str], None]) -> str:
    with tempfile.TemporaryDirectory(prefix="infraaudit-push-") as folder:
        file = Path(folder) / "digest"
        options = [f"--digestfile={file}"] if engine.name == "podman" else []
        done = engine.run("push", *options, reference, timeout=timeout, check=False, on_line=on_line)
        if done.returncode != 0:
            raise _failure(reference, done)
        said = file.read_text() if file.exists() else done.text
    found = _DIGEST.search(said) or re.search(r"(sha256:[0-9a-f]{64})", said)
    if found is None:
        raise EngineError(f"The registry took {reference} and reported no digest; run the step again.")
    return found[1]


def _failure(reference: str, done: process.Completed) -> ConfigurationError | EngineError:
    words = excerpt(done.error_text, 400)
    host = reference.partition("/")[0]
    if _REFUSED.search(words):
        return ConfigurationError(
            f"{host} refuses {reference}: {words}. Log in with the engine's own program (login {host}), "
            "or correct the registry in the project's entry."
        )
    return EngineError(f"{reference} could not be pushed: {words or 'the engine said nothing'}. Is {host} up?")
