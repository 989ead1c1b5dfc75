"""Push an image to a registry, and learn the digest it has there.

The engine's own program pushes, so its credential store and helpers are used; the digest is what the engine keeps of the
push, not what it says meanwhile. Deliberately absent: passwords.
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
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TO_LOG_IN = "Log in with the engine's own program (login {host}), or correct the registry in the project's entry."
_REFUSALS = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"immutable|tag .{0,200}already exists|cannot be overwritten|TAG_INVALID|\btag invalid\b|manifest invalid",
            "It does not take this tag: a tag that is there may not be overwritten, or its name breaks a rule of the "
            "registry. Change that rule, or remove the tag there.",
        ),
        (
            r"413 |request entity too large|payload too large|exceeds the (?:maximum|limit)|blob upload too large",
            "A layer is larger than the registry, or a proxy before it, takes: raise its limit (nginx: "
            "client_max_body_size), or make the image smaller.",
        ),
        (
            r"quota|no space left|507 |insufficient storage|storage limit",
            "The registry has no room left: remove old images there, or raise its quota.",
        ),
        (
            r"NAME_UNKNOWN|name unknown|repository .{0,200}(?:not found|does not exist)|project .{0,200}not found",
            "It has no such repository, and makes none by itself: create it there, or correct the registry in the "
            "project's entry.",
        ),
        (
            r"HTTP response to HTTPS client|certificate|x509",
            "The engine does not trust it: give the engine its certificate, or list it as an insecure registry there.",
        ),
        (
            r"invalid reference format|name invalid|NAME_INVALID|must be lowercase",
            "Correct the registry in the project's entry.",
        ),
        (
            r"denied|unauthorized|authentication required|no basic auth credentials|insufficient_scope|forbidden",
            _TO_LOG_IN,
        ),
    )
)
"""What a retry cannot help, the more specific first, each with what to do."""
_SILENT = re.compile(
    r"refused|timed? ?out|no such host|unreachable|reset by peer|i/o timeout|EOF|50[234] |dial ", re.IGNORECASE
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
        digest = file.read_text().strip() if file.exists() else _known_digest(engine, reference, done.text)
    if not _DIGEST.fullmatch(digest):
        raise EngineError(f"{reference} was pushed, and {engine.name} knows no digest of it; run the step again.")
    return digest


def _known_digest(engine: Engine, reference: str, said: str) -> str:
    """The digest that the engine keeps of a pushed image; what the push said decides only between several."""
    repository = reference.rpartition(":")[0]
    facts = engine.find_image(reference)
    pairs = (known.split("@") for known in (facts.repo_digests if facts else ()) if "@" in known)
    digests = [
        digest for name, digest in pairs if name.removeprefix("docker.io/") == repository.removeprefix("docker.io/")
    ]
    said_last = [digest for digest in _DIGEST.findall(said) if digest in digests]
    return next(reversed(said_last or digests), "")


def _failure(reference: str, done: process.Completed) -> ConfigurationError | EngineError:
    words = excerpt(done.error_text, 400)
    host = reference.partition("/")[0]
    for pattern, advice in _REFUSALS:
        if pattern.search(words):
            return ConfigurationError(f"{host} refuses {reference}: {words}. {advice.format(host=host)}")
    advice = f"Is {host} up?" if _SILENT.search(words) else "Run the step again; the log of the registry may say more."
    return EngineError(f"{reference} could not be pushed: {words or 'the engine said nothing'}. {advice}")
