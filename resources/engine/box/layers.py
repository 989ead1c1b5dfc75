"""Read an image's configuration and single layers out of an engine's data folder, as `docker save` would write them.

Because save writes every layer, the base image's too: 4 s for 174 MB, where a commit's own layers are kilobytes. A
layer is its files and the tar-split record of what was between them (https://github.com/vbatts/tar-split); the engine
that loads it compares its digest, so that a mistake here is an image that is refused. Runs in the box, as its root.
"""

import base64
import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

_STORE = Path("/data/docker/image/overlay2")
_FILES = Path("/data/docker/overlay2")
_CHUNK = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Sink(Protocol):
    """What a layer is written to."""

    def write(self, data: bytes, /) -> object: ...


def configuration(image_id: str) -> str:
    """The image's configuration, byte for byte. Raises OSError or ValueError."""
    return (_STORE / "imagedb/content/sha256" / _hex(image_id)).read_text("utf-8")


def chains(diffs: list[str]) -> list[str]:
    """What an engine calls the layers of these contents, each upon the ones before it."""
    found: list[str] = []
    for diff in diffs:
        found.append(diff if not found else "sha256:" + hashlib.sha256(f"{found[-1]} {diff}".encode()).hexdigest())
    return found


def size(chain: str) -> int:
    """Bytes of a layer's archive. Raises OSError or ValueError."""
    return sum(length for length, _ in _pieces(chain))


def write(chain: str, stream: Sink) -> None:
    """A layer's archive. Raises OSError or ValueError."""
    files = _FILES / (_layer(chain) / "cache-id").read_text().strip() / "diff"
    for length, piece in _pieces(chain):
        if isinstance(piece, bytes):
            stream.write(piece)
        else:
            _copy(os.path.join(os.fsencode(files), piece.name.lstrip(b"/")), length, stream)


class _File:
    def __init__(self, name: bytes) -> None:
        self.name = name


def _pieces(chain: str) -> Iterator[tuple[int, bytes | _File]]:
    with gzip.open(_layer(chain) / "tar-split.json.gz", "rb") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["type"] == 2:
                between = base64.b64decode(entry.get("payload") or "")
                yield len(between), between
            elif entry.get("size"):
                raw = entry.get("name_raw")
                yield entry["size"], _File(base64.b64decode(raw) if raw else os.fsencode(entry["name"]))


def _copy(path: bytes, length: int, stream: Sink) -> None:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as source:
        while length:
            chunk = source.read(min(_CHUNK, length))
            if not chunk:
                raise ValueError("a file of a layer is shorter than its record says")
            stream.write(chunk)
            length -= len(chunk)


def _layer(chain: str) -> Path:
    return _STORE / "layerdb/sha256" / _hex(chain)


def _hex(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest[:80]!r} is no digest")
    return digest.removeprefix("sha256:")
