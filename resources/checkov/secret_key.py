"""The key with which this installation digests secrets found in code."""

import hashlib
import os
import secrets
import tempfile
from pathlib import Path

KEY_FILE = "secret-resource.key"


def secret_key(folder: Path) -> bytes:
    """The key kept in ``folder``, made when first asked for; every process gets the same one.

    Without the file, every secret already found would look like a new one.
    """
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, fresh = tempfile.mkstemp(dir=folder)
        try:
            os.write(descriptor, secrets.token_bytes(32))
            os.fsync(descriptor)
            os.close(descriptor)
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(fresh)
    return path.read_bytes()


def key_digest(key: bytes) -> str:
    """Distinguishes keys without revealing them."""
    return hashlib.sha256(key).hexdigest()[:16]
