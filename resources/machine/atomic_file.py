"""Files that are never half written."""

import os
import tempfile
from pathlib import Path

from infraaudit_domain.errors import UnwritableFileError

READABLE = 0o644
"""For what others are meant to read: reports, pages, configuration."""


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """Write a file so that a reader sees the old content or the new, whole. Raises UnwritableFileError."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise UnwritableFileError(
            f"{path} cannot be written: {error.strerror}. Free space there or set another folder."
        ) from error
    return path
