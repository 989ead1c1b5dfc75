"""The state folder of an installation: its contents by name. Installations of every version have these paths."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder that INFRAAUDIT_HOME names; nothing is made until it is written to."""

    path: Path

    @property
    def history(self) -> Path:
        """The history's SQLite file, where no other database is configured."""
        return self.path / "history.db"

    @property
    def dagster(self) -> Path:
        """Dagster's home, where no other one is configured."""
        return self.path / "dagster"

    @property
    def checkouts(self) -> Path:
        return self.path / "checkouts"

    @property
    def scans(self) -> Path:
        """Checkov's scratch folders and caches, and the key of secret findings."""
        return self.path / "scans"

    @property
    def containers(self) -> Path:
        """The container target's records of its pods."""
        return self.path / "containers"

    @property
    def inbox(self) -> Path:
        """Pushes that were received while the history could not be written."""
        return self.path / "inbox"

    @property
    def demo(self) -> Path:
        """The demo's own installation."""
        return self.path / "demo"

    @property
    def last_prune(self) -> Path:
        """An empty file whose time is that of the last daily pruning."""
        return self.path / "last-prune"

    @property
    def run_log(self) -> Path:
        return self.path / "run.log"

    @property
    def example(self) -> Path:
        """The sample repository of an installation by Compose."""
        return self.path / "example.git"

    @property
    def mirrors(self) -> Path:
        return self.path / "mirrors"

    def mirror(self, project: str) -> Path:
        return self.mirrors / project

    @property
    def boxes(self) -> Path:
        """The boxes that images are built in, each with its images and cache."""
        return self.path / "boxes"

    def box(self, project: str) -> Path:
        return self.boxes / project

    def logs(self, project: str) -> Path:
        return self.path / "logs" / project

    def kept_of(self, project: str, sha: str) -> list[Path]:
        """The folders in which stages kept files of a commit."""
        return list(self.path.glob(f"*/{project}/{sha}"))
