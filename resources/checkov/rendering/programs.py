"""The programs that render: found in PATH, and known by their versions, which every result depends on."""

import functools
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from infraaudit_domain.errors import ToolError, excerpt
from infraaudit_domain.scans.renderings import Unit
from resources.machine import process

_SECONDS = 30
_OLDEST_HELM = (3, 16)


@dataclass(frozen=True, slots=True)
class Program:
    """A program that renders; without ``words`` there is none, and ``fault`` says why."""

    words: tuple[str, ...] = ()
    version: str = ""
    fault: str = ""


def program_for(unit: Unit) -> Program:
    """What a unit is rendered with; a kustomization that only collects files needs none."""
    path = os.environ.get("PATH", os.defpath)
    if unit.is_chart:
        return _helm(path)
    return Program(version="files as they are") if unit.collects is not None else _kustomize(path)


@functools.cache
def _kustomize(path: str) -> Program:
    if found := shutil.which("kustomize", path=path):
        return _program([found, "build"], [found, "version"])
    if found := shutil.which("kubectl", path=path):
        return _program([found, "kustomize"], [found, "version", "--client"])
    return Program(fault="neither kustomize nor kubectl is installed")


@functools.cache
def _helm(path: str) -> Program:
    found = shutil.which("helm", path=path)
    if found is None:
        return Program(fault="helm is not installed")
    # What a chart's schema refers to would be read from this machine and the network.
    program = _program([found, "template", "--skip-schema-validation"], [found, "version", "--short"])
    version = re.match(r"v(\d+)\.(\d+)", program.version)
    if not program.fault and (version is None or (int(version[1]), int(version[2])) < _OLDEST_HELM):
        return Program(
            fault=f"helm {excerpt(program.version, 40)} is older than 3.16 and would follow a chart's schema"
        )
    return program


def _program(words: Sequence[str], asking: Sequence[str]) -> Program:
    with tempfile.TemporaryDirectory(prefix="infraaudit-version-") as home:
        try:
            done = process.run(asking, timeout=_SECONDS, env=environment(home))
        except ToolError as error:
            return Program(fault=excerpt(f"{words[0]} does not say its version: {error}", 300))
    return Program(tuple(words), done.text.strip())


def environment(home: str) -> dict[str, str]:
    """All that such a program sees: no PATH, so that it starts no other one, no plugins, and an empty home."""
    nowhere = dict.fromkeys(("HELM_PLUGINS", "KUSTOMIZE_PLUGIN_HOME", "KUBECONFIG"), f"{home}/none")
    return {"HOME": home, "TMPDIR": home, "PATH": home, "GOMEMLIMIT": "1GiB", "LANG": "C.UTF-8", **nowhere}
