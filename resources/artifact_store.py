"""Files that stages keep by commit, and the reports folder with its latest_scan.json.

Written atomically: temporary file, fsync, rename. Deliberately absent: deciding which commit is the newest.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infraaudit_assets.domain.errors import HistoryError


@dataclass(frozen=True, slots=True)
class ArtifactStore:
    """``state`` holds what is kept by commit, ``reports`` what the mission names reports/."""

    state: Path
    reports: Path

    def keep(self, kind: str, project: str, sha: str, name: str, content: bytes) -> Path:
        """Keep a file of a commit, as ``<state>/<kind>/<project>/<sha>/<name>``."""
        return write_atomically(self.state / kind / project / sha / name, content)

    def keep_report(self, project: str, sha: str, content: bytes) -> Path:
        """Keep the scan report of a commit, as ``<reports>/<project>/<sha>.json``."""
        return write_atomically(self.reports / project / f"{sha}.json", content)

    def publish_report(self, project: str, content: bytes, default: bool) -> Path:
        """Replace the project's latest_scan.json, and for the default project reports/latest_scan.json."""
        if default:
            write_atomically(self.reports / "latest_scan.json", content)
        return write_atomically(self.reports / project / "latest_scan.json", content)


def write_atomically(path: Path, content: bytes) -> Path:
    """Write a file so that a reader sees the old content or the new, whole. Raises HistoryError (disk full, …)."""
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise HistoryError(
            f"{path} cannot be written: {error.strerror}. Free space there or set another folder."
        ) from error
    return path
