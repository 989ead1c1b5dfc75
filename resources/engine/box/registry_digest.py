"""What an image reference means in its registry now, asked by the box's engine over the box's network.

Because the reference is a commit's: asked from here, it would make this machine call any address it names.
"""

import http.client
import json
import socket
from pathlib import Path
from urllib.parse import quote

from infraaudit_domain.errors import excerpt
from resources.engine.box.client import Box
from resources.engine.box.inside import ENGINE

_SECONDS = 15.0
_ANSWER_LIMIT = 1 << 20


def registry_digest(box: Box, reference: str) -> str | None:
    """The digest of the image's manifest; None where the registry does not say it, or is out of reach."""
    connection = _Connection(box.place / "sockets" / ENGINE)
    try:
        # https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Distribution
        connection.request("GET", f"/v1.40/distribution/{quote(reference, safe='/:@')}/json", headers={"Host": "box"})
        answer = connection.getresponse()
        found = json.loads(answer.read(_ANSWER_LIMIT)) if answer.status == 200 else {}
        return excerpt(str(found["Descriptor"]["digest"]), 200)
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("box", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
