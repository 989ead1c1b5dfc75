"""Unpack an archive so that nothing of it can lead out of the folder.

Deliberately absent: tarfile's own filters. Debian 12's Python 3.11.2 does not have them.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO


def extract(archive: IO[bytes], folder: Path) -> None:
    """Write the files and folders of a tar archive, then the links that stay inside; everything else is left out.

    Links are written last, so that no file is written through one, even where a hostile tree names a path twice.
    """
    links: list[tuple[Path, str]] = []
    with tarfile.open(fileobj=archive) as tar:
        for member, inside in _members(tar):
            target = folder / inside
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.issym() and stays_inside(inside, member.linkname):
                links.append((target, str(PurePosixPath(member.linkname))))
            elif member.isreg():
                _write(tar, member, target)
    for target, to in links:
        if not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(to)


def _members(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    for member in tar:
        inside = PurePosixPath(member.name)
        if inside.parts and not inside.is_absolute() and ".." not in inside.parts:
            yield member, inside


def stays_inside(link: PurePosixPath, to: str) -> bool:
    """Whether a link cannot leave the root, whatever the other links are.

    ``..`` is allowed at the start only: behind a name it could be the parent of what another link points to.
    """
    target = PurePosixPath(to)
    climbs = next((n for n, part in enumerate(target.parts) if part != ".."), len(target.parts))
    return not target.is_absolute() and climbs < len(link.parts) and ".." not in target.parts[climbs:]


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(member)
    assert content is not None, "a regular member has content"
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
