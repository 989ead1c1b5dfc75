"""Bring base images into a box, and take the built image out: both by our hand, never by the build's.

What comes out is a configuration that we write anew, with our labels, and those layers that the host's engine does not
have yet. Deliberately absent: any image that neither the configuration names nor the box built.
"""

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from infraaudit_domain.errors import BuildFailedError, EngineError, excerpt
from resources.engine.box.client import Box
from resources.engine.box.layers import chains
from resources.engine.client import Engine

_SAVE_SECONDS = 900.0
_CHUNK = 1 << 20
_NEIGHBOURS = 20
_LAST = "last-layers"
"""The layers of the image that was taken out last, which the host's engine most likely still has."""
_OURS = "infraaudit."


def bring_in(host: Engine, inner: Engine, references: Iterable[str], scratch: Path) -> None:
    """Have the box's engine know these images as the host's does, which pulls what it lacks. Raises EngineError."""
    for reference in references:
        facts = host.find_image(reference)
        if facts is None:
            # With our logins; where it is nowhere, the build says so.
            if host.run("pull", "--quiet", reference, timeout=_SAVE_SECONDS, check=False).returncode != 0:
                continue
            facts = host.find_image(reference)
        known = inner.find_image(reference)
        if facts is None or (known is not None and known.image_id == facts.image_id):
            continue
        with tempfile.TemporaryDirectory(dir=scratch, prefix="base-") as folder:
            archive = f"{folder}/image.tar"
            host.run("save", "--output", archive, reference, timeout=_SAVE_SECONDS)
            inner.run("load", "--quiet", "--input", archive, timeout=_SAVE_SECONDS)


def take_out(
    box: Box, host: Engine, image_id: str, reference: str, labels: Mapping[str, str], bases: Iterable[str]
) -> None:
    """Give the host's engine the image that a build left in the box, under a reference.

    ``bases`` are images whose layers the host may already have. Raises EngineError, or BuildFailedError for a
    configuration that is none.
    """
    configuration = labelled(box.ask("configuration", image=image_id)["text"], labels)
    diffs = json.loads(configuration)["rootfs"]["diff_ids"]
    with tempfile.TemporaryDirectory(dir=box.folder, prefix="image-") as folder:
        archive = Path(folder) / "image.tar"
        for known in _guesses(box, host, diffs, reference, bases):
            _write(box, archive, configuration, diffs, known, reference)
            done = host.run("load", "--quiet", "--input", str(archive), timeout=_SAVE_SECONDS, check=False)
            if done.returncode == 0:
                (box.folder / _LAST).write_text(json.dumps(diffs))
                return
    raise EngineError(f"{host.name} does not take the image of {reference}: {excerpt(done.error_text, 400)}")


def _guesses(box: Box, host: Engine, diffs: Sequence[str], reference: str, bases: Iterable[str]) -> Iterator[int]:
    """How many of the first layers the host's engine may have, the fastest guess first.

    The last is none: for an engine that wants every layer, such as Podman, or that has just lost one.
    """
    last = box.folder / _LAST
    if last.exists():
        yield _common(diffs, json.loads(last.read_text()))
    if known := _known_layers(host, diffs, reference, bases):
        yield known
    yield 0


def labelled(text: str, labels: Mapping[str, str]) -> bytes:
    """An image's configuration with our labels, and no other of our names. Raises BuildFailedError."""
    try:
        found = json.loads(text)
        config = found["config"] = dict(found.get("config") or {})
        given = {str(key): str(value) for key, value in (config.get("Labels") or {}).items()}
        found["rootfs"]["diff_ids"] = [str(diff) for diff in found["rootfs"]["diff_ids"]]
        chains(found["rootfs"]["diff_ids"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildFailedError(f"The build left an image without a readable configuration ({error!r}).") from error
    config["Labels"] = {name: value for name, value in given.items() if not name.startswith(_OURS)} | dict(labels)
    return json.dumps(found, sort_keys=True).encode()


def _known_layers(host: Engine, diffs: Sequence[str], reference: str, bases: Iterable[str]) -> int:
    """How many of the first layers the host's engine has, by its images of the project and the bases."""
    repository = reference.rpartition(":")[0]
    listed = host.run("images", "--quiet", "--no-trunc", repository, check=False).text.split()
    images = [*dict.fromkeys(listed)][:_NEIGHBOURS]
    images += [name for name in bases if name and not name.startswith("-")]
    if not images:
        return 0
    done = host.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", *images, check=False)
    stacks = [json.loads(line) for line in done.text.splitlines() if line.startswith("[")]
    return max((_common(diffs, stack) for stack in stacks), default=0)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = list(zip(one, other, strict=False))
    return next((number for number, (left, right) in enumerate(pairs) if left != right), len(pairs))


def _write(box: Box, archive: Path, configuration: bytes, diffs: Sequence[str], known: int, reference: str) -> None:
    """The archive that an engine loads; the first ``known`` layers are named in it and left out."""
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    layers = [f"{number}.tar" for number in range(len(diffs))]
    manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": layers}]).encode()
    room = box.limits.disk_megabytes << 20
    with archive.open("wb") as stream:
        for path, content in ((name, configuration), ("manifest.json", manifest)):
            _header(stream, path, len(content))
            stream.write(content)
            _pad(stream, len(content))
        for path, chain in list(zip(layers, chains(list(diffs)), strict=True))[known:]:
            with box.layer(chain) as (size, source):
                room -= size
                if room < 0:
                    raise BuildFailedError(f"The image is larger than the {box.limits.disk_megabytes} MB of its box.")
                _header(stream, path, size)
                _copy(source, stream, size)
                _pad(stream, size)
        stream.write(bytes(1024))


def _header(stream: IO[bytes], path: str, size: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = size
    stream.write(entry.tobuf(tarfile.GNU_FORMAT))


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size:
        chunk = source.read(min(_CHUNK, size))
        if not chunk:
            raise EngineError("The box ended while its image was read; run the step again.")
        target.write(chunk)
        size -= len(chunk)


def _pad(stream: IO[bytes], size: int) -> None:
    stream.write(bytes(-size % 512))
