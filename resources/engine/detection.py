"""Find an engine that answers, and the program among those installed that can build with BuildKit.

A machine may have several programs for one engine, and not all can build: since 23, docker needs the buildx
plugin for BuildKit, while an older one beside it needs none.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from infraaudit_domain.errors import EngineUnavailableError, ToolError, excerpt
from resources.engine.client import Builder, Engine
from resources.machine import process

_ALSO_LOOK_IN = ("/usr/local/bin", "/usr/bin")
_FIRST_WITH_BUILDKIT = (18, 9)
_FIRST_THAT_NEEDS_BUILDX = (23, 0)


@dataclass(frozen=True, slots=True)
class _Program:
    path: str
    client_version: str
    server_version: str
    problem: str = ""


def detect_engine(choice: str = "auto", *, timeout: float = 10) -> Engine:
    """The engine that answers: ``docker``, ``podman``, or with ``auto`` the first that answers, Docker before Podman.

    ``timeout`` is in seconds for each question asked. Raises EngineUnavailableError, which lists what was tried.
    """
    if choice == "none":
        raise EngineUnavailableError("INFRAAUDIT_ENGINE is none: nothing is built, tested or deployed.")
    problems = []
    for name in ("docker", "podman") if choice == "auto" else (choice,):
        programs = [_ask(name, path, timeout) for path in _installed(name)]
        answering = [program for program in programs if program.server_version]
        if answering:
            return _docker(answering, timeout) if name == "docker" else _podman(answering[0])
        problems.append(f"{name}: {programs[0].problem if programs else 'not installed'}")
    raise EngineUnavailableError(
        f"No container engine answers ({'; '.join(problems)}). Start Docker or Podman, or set DOCKER_HOST."
    )


def _installed(name: str) -> list[str]:
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_ALSO_LOOK_IN]
    paths = (os.path.join(folder, name) for folder in folders if os.path.isabs(folder))
    by_file = {os.path.realpath(path): path for path in reversed(list(paths)) if os.access(path, os.X_OK)}
    return list(reversed(by_file.values()))


def _ask(name: str, path: str, timeout: float) -> _Program:
    try:
        done = process.run([path, "version", "--format", "{{json .}}"], timeout=timeout, check=False)
    except ToolError as error:
        return _Program(path, "", "", excerpt(str(error), 200))
    try:
        said = json.loads(done.stdout or b"{}")
    except ValueError:
        said = {}
    client = str((said.get("Client") or {}).get("Version") or "")
    # Podman without a remote connection is its own server.
    server = str((said.get("Server") or {}).get("Version") or (client if name == "podman" else ""))
    if done.returncode != 0 or not server:
        return _Program(path, client, "", excerpt(done.stderr.decode("utf-8", "replace"), 200) or "no answer")
    return _Program(path, client, server)


def _podman(program: _Program) -> Engine:
    return Engine("podman", program.server_version, program.path, Builder.PODMAN, program.path)


def _docker(programs: list[_Program], timeout: float) -> Engine:
    first = programs[0]
    builder, path = next(_builders(programs, timeout))
    return Engine("docker", first.server_version, first.path, builder, path)


def _builders(programs: list[_Program], timeout: float) -> Iterator[tuple[Builder, str]]:
    for program in programs:
        if _has_buildx(program.path, timeout):
            yield Builder.BUILDX, program.path
    for program in programs:
        client, server = _numbers(program.client_version), _numbers(program.server_version)
        if _FIRST_WITH_BUILDKIT <= client < _FIRST_THAT_NEEDS_BUILDX and server >= _FIRST_WITH_BUILDKIT:
            yield Builder.BUILDKIT, program.path
    yield Builder.LEGACY, programs[0].path


def _has_buildx(path: str, timeout: float) -> bool:
    try:
        done = process.run([path, "buildx", "version"], timeout=timeout, check=False)
    except ToolError:
        return False
    return done.returncode == 0 and b"buildx" in done.stdout


def _numbers(version: str) -> tuple[int, ...]:
    digits = ("".join(filter(str.isdigit, part)) for part in version.split("+")[0].split("-")[0].split(".")[:2])
    return tuple(int(part or 0) for part in digits)
