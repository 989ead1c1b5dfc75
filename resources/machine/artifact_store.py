"""Files that stages keep by commit, and the reports folder with its latest_scan.json.

Deliberately absent: deciding which commit is the newest.
"""

from dataclasses import dataclass
from pathlib import Path

from resources.machine.atomic_file import READABLE, write_atomically


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
        return write_atomically(self._report(project, sha), content, READABLE)

    def kept_report(self, project: str, sha: str) -> bytes | None:
        """What is kept as the report of a commit; None where nothing is."""
        path = self._report(project, sha)
        return path.read_bytes() if path.is_file() else None

    def latest_reports(self, project: str, default: bool) -> list[Path]:
        """The project's latest_scan.json, and for the default project reports/latest_scan.json too."""
        folders = [self.reports / project, *([self.reports] if default else [])]
        return [folder / "latest_scan.json" for folder in folders]

    def _report(self, project: str, sha: str) -> Path:
        return self.reports / project / f"{sha}.json"
