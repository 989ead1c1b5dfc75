"""What happens inside the limited child: run the program that renders, and write each object to a file of its own.

The child has no network and dies with its parent; the program sees the unit's own files, no PATH and no plugins.
Deliberately absent: scanning what it made.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from infraaudit_domain.errors import ToolError
from infraaudit_domain.scans.documents import separated
from resources.checkov.reading.yaml_check import inspect_text
from resources.checkov.rendering import sources
from resources.checkov.rendering.programs import environment
from resources.machine import process

_ORIGIN = "config.kubernetes.io/origin"
_SOURCE = re.compile(r"^# Source: (\S.*?)[ \t]*$", re.MULTILINE)
_LONGEST = 53
"""Letters of a release's name."""


class RenderError(Exception):
    """Why a unit cannot be rendered."""


def render(request: Mapping[str, Any]) -> dict[str, Any]:
    """Render one unit into ``request["output"]``: its objects, each with the file that it comes from; or the error."""
    output = Path(request["output"])
    output.mkdir()
    try:
        if request["collects"] is not None:
            return {"objects": list(_collected(request, output))}
        pieces = _of_chart(request) if request["is_chart"] else _of_kustomization(request)
        return {"objects": list(_written(pieces, request, output))}
    except (RenderError, ToolError) as error:
        root = request["root"]
        said = re.sub(r"(?:\.\./)+sources/", "", str(error)).replace(f"{root}/", "").replace(root, ".")
        return {"error": " ".join(said.split())[:600]}


def _collected(request: Mapping[str, Any], output: Path) -> Iterator[dict[str, Any]]:
    """Files as they are: what a kustomization makes that changes nothing."""
    for number, path in enumerate(request["collects"]):
        if _is_schema(Path(request["root"], path).read_text("utf-8", "replace")):
            continue
        name = f"{number:05}{Path(path).suffix}"
        os.link(Path(request["root"], path), output / name)
        yield {"file": name, "origin": path, "names": {}, "lines": None}


def _written(pieces: Iterable[tuple[str, str]], request: Mapping[str, Any], output: Path) -> Iterator[dict[str, Any]]:
    known = sources.Sources(request, frozenset(request["reads"]))
    for number, (origin, text) in enumerate(pieces):
        if number >= request["objects"]:
            raise RenderError(f"it makes more than {request['objects']} objects")
        if not request["is_chart"] and _is_schema(text):
            continue
        content = text.encode()
        verdict = inspect_text(content, request["yaml_depth"], request["yaml_nodes"])
        if "reason" in verdict:
            raise RenderError(f"what it makes of {origin or 'its files'} cannot be read: {verdict['reason']}")
        found = sources.documents(content)
        if found is not None and not any(found):
            continue
        # What is no YAML is written as well: that it is not read is a gap.
        document = next((one for one in found or () if isinstance(one, dict)), {})
        name = f"{number:05}.yaml"
        (output / name).write_bytes(content)
        yield {"file": name} | known.of(document, origin or _origin(document, request))


_KIND = re.compile(r"^kind:[ \t]*(\S+)", re.MULTILINE)


def _is_schema(text: str) -> bool:
    """Whether a text of kustomize, or one that is scanned as it is too, defines kinds of objects and is none.

    No check asks for that, and reading it takes seconds. A chart may write keys that this does not see.
    """
    return {*_KIND.findall(text)} == {"CustomResourceDefinition"}


def _of_kustomization(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    home, root = Path(request["scratch"]), Path(request["root"])
    # A kustomization of our own around it asks for the origin of each object; nothing of the commit is changed.
    around = home / "around"
    around.mkdir()
    inside = os.path.relpath(root / request["folder"], around)
    own = {"resources": [inside], "buildMetadata": ["originAnnotations"]}
    (around / "kustomization.yaml").write_text(json.dumps(own))
    text = _run(request, [*request["words"], str(around)])
    return (("", piece) for piece in separated(text))


def _origin(document: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """The file of the commit that kustomize says an object comes from."""
    metadata = document.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    text = str((annotations or {}).get(_ORIGIN, "")) if isinstance(annotations, dict) else ""
    match = re.match(r"(?:path|configuredIn): (.+)", text)
    if match is None:
        return ""
    place = os.path.normpath(Path(request["scratch"], "around", match[1].strip().strip("'\"")))
    return os.path.relpath(place, request["root"])


def _of_chart(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    root, folder = Path(request["root"]), request["folder"]
    found = sources.documents((root / request["unit"]).read_bytes()) or [{}]
    chart = found[0] if isinstance(found[0], dict) else {}
    if chart.get("type") == "library":
        return
    release = re.sub(r"[^a-z0-9-]+", "-", str(chart.get("name", "")).lower())[:_LONGEST].strip("-") or "release"
    text = _run(request, [*request["words"], release, str(root / folder)])
    source = ""
    for piece in separated(text):
        if match := _SOURCE.search(piece):
            source = folder + match[1].partition("/")[2]
        yield source, piece


def _run(request: Mapping[str, Any], words: list[str]) -> str:
    home = Path(request["scratch"])
    name = Path(words[0]).name
    done = process.run(
        words,
        timeout=request["tool_seconds"],
        cwd=home,
        env=environment(str(home)),
        max_output=request["output_bytes"],
        called=name,
        check=False,
    )
    if done.returncode != 0:
        raise RenderError(f"{name} says: {_said(done.stderr.decode('utf-8', 'replace')) or done.returncode}")
    if done.truncated:
        raise RenderError(f"it makes more than {request['output_bytes']} bytes")
    return done.text


_LOG = re.compile(r'^[EWIF]\d{4} \S+ +\d+ \S+\] (?:"command failed" err=)?[<"]?', re.MULTILINE)
_WITHIN = re.compile(r".*recursed accumulation of path '[^']*': ", re.DOTALL)
"""What kustomize says of the path to the folder where it failed, several times over."""


def _said(error: str) -> str:
    """A program's complaint, without time and process, so that the same failure has the same words."""
    text = "\n".join(line for line in error.splitlines() if not line.startswith(("#", "WARNING:", "walk.go:")))
    return _WITHIN.sub("", _LOG.sub("", text)).strip(' \n\t<>"').replace('\\"', "'")
