"""A container engine that answered, with the operations that the pipeline needs.

Deliberately absent: finding it (detection), building (resources/engine/builder.py), what runs in containers.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from infraaudit_domain.errors import (
    EngineError,
    EngineUnavailableError,
    ToolError,
    ToolMissingError,
    ToolTimeoutError,
    excerpt,
)
from resources.machine import process

_ABSENT = re.compile(r"no such (?:object|image|container|volume)|image not known|no container with|not found", re.I)
_ID = re.compile(r"[0-9a-f]{12,64}")
_OUR_NAME = "infraaudit-"
"""What every container and volume that we make is called; nothing of a commit chooses a name."""
UNREACHABLE = re.compile(
    r"cannot connect to the docker daemon|error during connect|is the docker daemon running|unexpected EOF"
    r"|connection reset by peer|code = Unavailable|unable to connect to Podman|docker\.sock: connect:",
    re.IGNORECASE,
)


class Builder(StrEnum):
    """How images are built, best first."""

    BUILDX = "buildx"
    BUILDKIT = "buildkit"
    """The engine's own BuildKit, driven by a program older than 23 that needs no plugin for it."""
    PODMAN = "podman"
    LEGACY = "legacy"
    """No ``RUN --mount``, no ``# syntax``; only where BuildKit is absent."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the engine knows of an image."""

    image_id: str
    size_bytes: int
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    repo_digests: tuple[str, ...] = ()
    working_folder: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers. Every method may raise EngineError."""

    name: str
    """docker or podman."""
    version: str
    """The server's."""
    program: str
    """Path of the program that drives it."""
    builder: Builder
    build_program: str
    """Path of the program that builds; another one where only that has BuildKit."""
    host: str = ""
    """Its address, where that is not what the program finds by itself."""
    home: str = ""
    """The program's own folder, where it must not find our logins."""

    def environment(self) -> dict[str, str] | None:
        """The environment of its programs; None is our own."""
        if not self.host:
            return None
        return {**os.environ, "DOCKER_HOST": self.host, "DOCKER_CONFIG": self.home, "DOCKER_CONTEXT": ""}

    def run(
        self,
        *words: str,
        timeout: float = 60,
        check: bool = True,
        on_line: Callable[[str], None] | None = None,
        stdin: bytes | None = None,
        max_output: int = process.DEFAULT_OUTPUT_LIMIT,
    ) -> process.Completed:
        """Run one command of the engine's program to its end. Raises EngineError, also at the time limit."""
        try:
            done = process.run(
                [self.program, *words],
                env=self.environment(),
                timeout=timeout,
                check=False,
                on_line=on_line,
                stdin=stdin,
                max_output=max_output,
            )
        except ToolMissingError as error:
            raise EngineUnavailableError(f"{self.program} is gone; install {self.name} again.") from error
        except ToolTimeoutError as error:
            raise EngineError(f"{self.name} {words[0]} had no end after {timeout:g} s; is the engine stuck?") from error
        except ToolError as error:
            raise EngineError(str(error)) from error
        if check and done.returncode != 0:
            raise self.error(words[0], done)
        return done

    def error(self, action: str, done: process.Completed) -> EngineError:
        """The error that a failed command means."""
        if UNREACHABLE.search(done.stderr.decode("utf-8", "replace")):
            return EngineError(f"The {self.name} engine stopped answering during {action}. Start it, then run again.")
        return EngineError(f"{self.name} {action} failed: {excerpt(done.error_text, 500) or 'it said nothing'}")

    def answers(self) -> bool:
        """Whether the engine is alive right now."""
        try:
            return self.run("version", "--format", "{{json .Server}}", timeout=10, check=False).returncode == 0
        except EngineError:
            return False

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """The engine's own description of an image, a container or a volume; None where there is none."""
        done = self.run("inspect", "--type", kind, "--", name, timeout=30, check=False)
        if done.returncode == 0:
            found: list[dict[str, Any]] = json.loads(done.stdout)
            return found[0] if found else None
        if _ABSENT.search(done.error_text):
            return None
        raise self.error(f"inspect of {excerpt(name, 100)}", done)

    def find_image(self, reference: str) -> ImageFacts | None:
        """An image the engine has, by reference or id; None where it has none. Pulls nothing."""
        found = self.inspect("image", reference)
        if found is None:
            return None
        config = found.get("Config") or {}
        image_id = str(found["Id"])
        return ImageFacts(
            image_id if image_id.startswith("sha256:") else f"sha256:{image_id}",
            int(found.get("Size") or 0),
            config.get("Labels") or {},
            tuple(config.get("Volumes") or ()),
            tuple(found.get("RepoDigests") or ()),
            str(config.get("WorkingDir") or ""),
        )

    def tag(self, image: str, reference: str) -> None:
        """Give an image another reference, taking it from any other image that has it."""
        self.run("tag", image, reference)

    def remove_image(self, reference: str) -> None:
        """Remove a reference, and the image with its last one. A missing one is no error."""
        done = self.run("rmi", reference, check=False)
        if done.returncode != 0 and not _ABSENT.search(done.error_text):
            raise self.error("rmi", done)

    def containers(self, labels: Mapping[str, str], *, running_only: bool = False) -> list[str]:
        """Names of our containers that carry all of these labels."""
        return list(self.our_containers(labels, running_only=running_only))

    def our_containers(self, labels: Mapping[str, str], *, running_only: bool = False) -> dict[str, Mapping[str, str]]:
        """The labels of our containers that carry all of these, by name; an empty value stands for any.

        Ours bear our name: a label alone says nothing, because a container inherits those of its image, which a commit
        writes.
        """
        scope = [] if running_only else ["--all"]
        listed = self.run("ps", *scope, *_filters(labels), "--quiet", "--no-trunc").text.split()
        found = self._described("container", [one for one in listed if _ID.fullmatch(one)])
        pairs = ((str(one.get("Name", "")).lstrip("/"), (one.get("Config") or {}).get("Labels")) for one in found)
        return _ours(pairs, labels)

    def volumes(self, labels: Mapping[str, str]) -> list[str]:
        """Names of our volumes that carry all of these labels."""
        return list(self.our_volumes(labels))

    def our_volumes(self, labels: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
        """The labels of our volumes that carry all of these, by name; an empty value stands for any."""
        listed = self.run("volume", "ls", *_filters(labels), "--quiet").text.splitlines()
        found = self._described("volume", [name for name in listed if name.startswith(_OUR_NAME)])
        return _ours(((str(one.get("Name", "")), one.get("Labels")) for one in found), labels)

    def _described(self, kind: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """The engine's own description of several things; those that are gone meanwhile are left out."""
        if not names:
            return []
        done = self.run("inspect", "--type", kind, "--", *names, check=False)
        try:
            found = json.loads(done.stdout or b"[]")
        except ValueError as error:
            raise self.error(f"inspect of {len(names)} {kind}s", done) from error
        if done.returncode != 0 and not _ABSENT.search(done.error_text):
            raise self.error(f"inspect of {len(names)} {kind}s", done)
        return [one for one in found if isinstance(one, dict)]

    def remove_container(self, name: str) -> None:
        """Kill and remove a container with its anonymous volumes. A missing one is no error."""
        done = self.run("rm", "--force", "--volumes", name, check=False)
        if done.returncode != 0 and not _ABSENT.search(done.error_text) and "in progress" not in done.error_text:
            raise self.error("rm", done)

    def remove_volume(self, name: str) -> None:
        """Remove a volume; a missing one is no error. Not by force: Podman would remove its containers too."""
        done = self.run("volume", "rm", name, check=False)
        if done.returncode != 0 and not _ABSENT.search(done.error_text):
            raise self.error("volume rm", done)


def label_words(labels: Mapping[str, str]) -> list[str]:
    """The words that put labels on a container, a volume or an image."""
    return [word for name, value in sorted(labels.items()) for word in ("--label", f"{name}={value}")]


def _filters(labels: Mapping[str, str]) -> Sequence[str]:
    equal = (f"label={name}={value}" if value else f"label={name}" for name, value in labels.items())
    return [word for text in equal for word in ("--filter", text)]


def _ours(
    found: Iterable[tuple[str, Mapping[str, str] | None]], labels: Mapping[str, str]
) -> dict[str, Mapping[str, str]]:
    return {
        name: own
        for name, own in ((name, own or {}) for name, own in found)
        if name.startswith(_OUR_NAME)
        and all(key in own and (not value or own[key] == value) for key, value in labels.items())
    }
