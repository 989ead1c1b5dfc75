"""Build the image of one commit from a clean checkout.

The checkout is hostile input: the Dockerfile and the context stay inside it, the program gets a list of words, and a
time limit ends the build. Deliberately absent: SSH agents, secrets but those that the project's configuration hands in, and
pushing. Stopping a build also stops it in the Docker engine; under Podman a sleeping RUN keeps sleeping (its CPU time
is limited). Without a box, a RUN has the engine's default network.
"""

import os
import re
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from infraaudit_domain.delivery.dockerfile import syntax_image, without_syntax
from infraaudit_domain.delivery.images import Image, volume_fault
from infraaudit_domain.errors import (
    BuildFailedError,
    EngineError,
    EngineUnavailableError,
    ToolError,
    ToolMissingError,
    ToolTimeoutError,
    excerpt,
)
from resources.engine.build_request import BuildRequest, image_labels, inside, read_dockerfile
from resources.engine.client import UNREACHABLE, Builder, Engine, label_words
from resources.machine import process

_LOG_LINES = 200
_NOT_THE_COMMITS_FAULT = re.compile(
    r"no space left on device|disk quota exceeded|i/o timeout|TLS handshake timeout|toomanyrequests"
    r"|context deadline exceeded|50[234] (?:Bad Gateway|Service Unavailable|Gateway Time-?out)",
    re.IGNORECASE,
)
_BASE_IMAGE_MISSING = re.compile(
    r"pull access denied|failed to resolve source metadata|manifest unknown|no such host"
    r"|failed to do request|repository does not exist|manifest for \S+ not found",
    re.IGNORECASE,
)
_SYNTAX_MISSING = re.compile(r"resolve image config for \S*docker/dockerfile|failed to solve with frontend gateway")
_LAST_WORDS = re.compile(
    r"^(?:#\d+ ERROR: |error|failed to solve|.*error response from daemon|rpc error)", re.IGNORECASE
)


def build_image(
    engine: Engine, request: BuildRequest, *, inputs_digest: str, timeout: float, on_line: Callable[[str], None]
) -> Image:
    """Build, label and tag the image. ``timeout`` is in seconds; ``on_line`` receives the log line by line.

    Raises BuildFailedError (the commit's fault; its message ends with the end of the log) or EngineError.
    """
    started = monotonic()
    image_id = built_image_id(engine, request, timeout=timeout, on_line=on_line)
    return finished_image(engine, request, image_id, inputs_digest, monotonic() - started)


def built_image_id(engine: Engine, request: BuildRequest, *, timeout: float, on_line: Callable[[str], None]) -> str:
    """Build, label and tag; the engine's id of the image. Raises as build_image does."""
    dockerfile = inside(request.checkout, request.dockerfile, "Dockerfile")
    context = inside(request.checkout, request.context, "build context")
    read_dockerfile(request)
    if not context.is_dir():
        raise BuildFailedError(f"{request.sha[:12]} has no folder {request.context}; set paths.context of the project.")
    return _Build(engine, request, dockerfile, context, timeout, on_line).run()


def finished_image(engine: Engine, request: BuildRequest, image: str, inputs_digest: str, seconds: float) -> Image:
    """The image that a build left in the engine. Raises BuildFailedError for one that the pipeline cannot use."""
    facts = engine.find_image(image)
    if facts is None:
        raise EngineError(f"{engine.name} built {request.reference} and does not have it; run the step again.")
    if fault := volume_fault(facts.volumes):
        raise BuildFailedError(f"The image of {request.sha[:12]} is refused: {fault}")
    return Image(request.reference, facts.image_id, facts.size_bytes, round(seconds, 3), inputs_digest)


class _Build:
    """Run the build program, and once more without ``# syntax=`` where that frontend cannot be pulled."""

    def __init__(
        self,
        engine: Engine,
        request: BuildRequest,
        dockerfile: Path,
        context: Path,
        timeout: float,
        on_line: Callable[[str], None],
    ) -> None:
        self._engine, self._request, self._dockerfile, self._context = engine, request, dockerfile, context
        self._deadline, self._timeout, self._on_line = monotonic() + timeout, timeout, on_line
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._lines = 0

    def run(self) -> str:
        with tempfile.TemporaryDirectory(prefix="infraaudit-build-") as folder:
            scratch = Path(folder)
            if self._attempt(scratch, self._dockerfile):
                return (scratch / "image-id").read_text().strip()
            text = self._dockerfile.read_text("utf-8", "replace")
            if syntax_image(text) and _SYNTAX_MISSING.search(self._last_words()):
                self._say(f"{syntax_image(text)} is out of reach; building with the engine's own frontend.")
                plain = scratch / "Dockerfile"
                plain.write_text(without_syntax(text))
                if self._attempt(scratch, plain):
                    return (scratch / "image-id").read_text().strip()
        raise self._failure()

    def _attempt(self, scratch: Path, dockerfile: Path) -> bool:
        words = _words(self._engine, self._request, dockerfile, self._context, scratch / "image-id", self._timeout)
        try:
            done = process.run(
                words,
                cwd=scratch,
                env=_environment(self._engine),
                timeout=max(self._deadline - monotonic(), 1),
                on_line=self._say,
                max_output=65536,
                check=False,
            )
        except ToolTimeoutError as error:
            raise BuildFailedError(
                f"The build of {self._request.sha[:12]} had no end after {self._timeout:g} s and was stopped. "
                f"The end of its log:\n{self._log_end()}"
            ) from error
        except ToolMissingError as error:
            raise EngineUnavailableError(f"{self._engine.build_program} is gone; install it again.") from error
        except ToolError as error:
            raise EngineError(str(error)) from error
        return done.returncode == 0

    def _failure(self) -> BuildFailedError | EngineError:
        sha, words = self._request.sha[:12], self._last_words()
        if UNREACHABLE.search(words) or not self._engine.answers():
            return EngineError(
                f"The {self._engine.name} engine died during the build of {sha}. Start it, then run again."
            )
        if fault := _NOT_THE_COMMITS_FAULT.search(words):
            return EngineError(
                f"The build of {sha} stopped for lack of disk or network ({fault[0]}). Fix that, then run again.\n"
                f"{self._log_end()}"
            )
        hint = ""
        if _BASE_IMAGE_MISSING.search(words):
            hint = (
                " An image it starts from cannot be pulled here: set INFRAAUDIT_BASE_IMAGE, or log in to its registry; "
                "a box has the engine's own images only where base_images of the project names them."
            )
        return BuildFailedError(
            f"{self._request.dockerfile} of {sha} does not build.{hint} The end of its log:\n{self._log_end()}"
        )

    def _last_words(self) -> str:
        """The program's own message on why it stopped, not the output of a RUN."""
        return "\n".join(line for line in list(self._log)[-25:] if _LAST_WORDS.match(line))

    def _log_end(self) -> str:
        return excerpt("\n".join(self._log), 4000)

    def _say(self, line: str) -> None:
        clean = excerpt(line, 1000)
        if not clean:
            return
        self._log.append(clean)
        self._lines += 1
        if self._lines <= self._request.log_lines:
            self._on_line(clean)
        elif self._lines == self._request.log_lines + 1:
            self._on_line(f"After {self._request.log_lines} lines, further lines of the log are not kept.")


def _words(
    engine: Engine, request: BuildRequest, dockerfile: Path, context: Path, id_file: Path, timeout: float
) -> list[str]:
    start = {
        Builder.BUILDX: ["buildx", "build", "--load", "--progress=plain"],
        Builder.BUILDKIT: ["build", "--progress=plain"],
        Builder.PODMAN: ["build", "--format=docker", f"--ulimit=cpu={max(int(timeout), 1)}"],
        Builder.LEGACY: ["build", "--force-rm"],
    }[engine.builder]
    arguments = [word for name, value in request.build_args.items() for word in ("--build-arg", f"{name}={value}")]
    target = ["--tag", request.tag or request.reference, "--iidfile", str(id_file), "--file", str(dockerfile)]
    return [
        engine.build_program,
        *start,
        *target,
        *label_words(image_labels(request)),
        *arguments,
        *((f"--target={request.target}",) if request.target else ()),
        *request.options,
        "--",
        str(context),
    ]


def _environment(engine: Engine) -> dict[str, str]:
    # Attestations would make an index of the image, and the program would run git in the checkout for them.
    quiet = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_GIT_INFO": "false", "DOCKER_CLI_HINTS": "false"}
    buildkit = "0" if engine.builder is Builder.LEGACY else "1"
    return {**(engine.environment() or os.environ), **quiet, "DOCKER_BUILDKIT": buildkit}
