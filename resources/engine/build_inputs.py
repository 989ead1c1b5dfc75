"""A digest of all that a build reads: equal inputs are built once.

Deliberately absent: what a RUN fetches from the network. Builds of equal inputs may differ in that, as with the
engine's own layer cache.
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import normpath, relpath

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.delivery.dockerfile import images_read
from resources.engine.client import Builder

# A .dockerignore beyond these limits is not followed: its patterns become regular expressions, and a hostile one never
# ends.
_MOST_PATTERNS = 500
_MOST_WILDCARDS = 3
_LONGEST_PATTERN = 300
_MOST_SECONDS = 5.0
_MOST_IMAGES = 20
"""Each may cost a question to a registry."""


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """The paths that a build of one commit reads, relative to the repository's root."""

    sha: str
    tree: Sequence[TreeEntry]
    dockerfile: str
    dockerfile_text: str
    context: str
    build_args: Mapping[str, str]
    builder: Builder = Builder.BUILDKIT
    target: str = ""


def inputs_digest(
    inputs: BuildInputs, read: Callable[[str], bytes | None], identify: Callable[[str], str | None]
) -> str:
    """A digest of all that the build would read: 64 hex digits.

    ``read`` gives a file of the commit, ``identify`` what an image reference means now. Where that is unknown, the
    digest is unique to the commit.
    """
    digest = hashlib.sha256(b"infraaudit build inputs 1\0")
    digest.update(inputs.dockerfile_text.encode("utf-8", "surrogateescape") + b"\0")
    if inputs.target:
        _add(digest, "target", inputs.target)
    for name, value in sorted(inputs.build_args.items()):
        _add(digest, "arg", name, value)
    for place, reference in enumerate(images_read(inputs.dockerfile_text, inputs.build_args)):
        known = _identity(reference, identify) if place < _MOST_IMAGES else None
        _add(digest, "image", reference, known or f"unknown to {inputs.sha}")
    for entry in sorted(context_entries(inputs, read), key=lambda entry: entry.path):
        _add(digest, entry.mode, entry.path, entry.blob)
    return digest.hexdigest()


def context_entries(inputs: BuildInputs, read: Callable[[str], bytes | None]) -> list[TreeEntry]:
    """The files of the commit that are sent to the builder: the context minus what .dockerignore excludes."""
    context = normpath(inputs.context)
    prefix = "" if context == "." else f"{context}/"
    entries = [entry for entry in inputs.tree if entry.path.startswith(prefix)]
    patterns = _ignore_patterns(inputs, prefix, read)
    if not patterns:
        return entries

    from docker.utils.build import PatternMatcher

    ignored = PatternMatcher(patterns)
    dockerfile = relpath(inputs.dockerfile, context)
    deadline = time.monotonic() + _MOST_SECONDS
    sent = []
    for entry in entries:
        own = entry.path.removeprefix(prefix)
        if own == dockerfile or not ignored.matches(own):
            sent.append(entry)
        if time.monotonic() > deadline:
            return entries
    return sent


def _ignore_patterns(inputs: BuildInputs, prefix: str, read: Callable[[str], bytes | None]) -> list[str]:
    """The lines of the .dockerignore that the builder would use; none where they exceed our limits."""
    present = {entry.path for entry in inputs.tree if entry.is_file}
    beside = [f"{normpath(inputs.dockerfile)}.{kind}" for kind in ("dockerignore", "containerignore")]
    in_context = [f"{prefix}.{kind}" for kind in ("containerignore", "dockerignore")]
    match inputs.builder:
        case Builder.LEGACY:  # It knows none beside the Dockerfile.
            names = in_context[1:]
        case Builder.PODMAN:
            if present & {*beside}:  # Whether it follows these depends on its version; all that is there counts.
                return []
            names = in_context
        case _:  # BuildKit looks beside the Dockerfile first.
            names = [beside[0], in_context[1]]
    name = next((name for name in names if name in present), None)
    text = (read(name) or b"").decode("utf-8", "replace") if name else ""
    patterns = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    patterns = [line for line in patterns if line and not line.startswith("#")]
    return patterns if len(patterns) <= _MOST_PATTERNS and all(map(_is_tame, patterns)) else []


def _is_tame(pattern: str) -> bool:
    return (
        len(pattern) <= _LONGEST_PATTERN
        and len(re.findall(r"\*+", pattern)) <= _MOST_WILDCARDS
        # What the engine and the SDK read differently is not followed.
        and not re.search(r"[\[\]\\]|\*\*\*", re.sub(r"\[[\w-]+\]", "", pattern))
    )


def _identity(reference: str, identify: Callable[[str], str | None]) -> str | None:
    return reference if re.search(r"@sha256:[0-9a-f]{64}$", reference) else identify(reference)


def _add(digest: "hashlib._Hash", *words: str) -> None:
    for word in words:
        data = word.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(data) + data)
