"""Files that stages keep by commit, and the reports folder with its latest_scan.json.

Deliberately absent: deciding which commit is the newest.
"""

from dataclasses import dataclass
from pathlib import Path

from resources.machine.atomic_file import write_atomically


@dataclass(frozen=True, slots=True)
class ArtifactStore:
    """``state`` holds files by commit, ``reports`` is the reports folder."""

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
