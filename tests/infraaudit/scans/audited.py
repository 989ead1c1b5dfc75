"""A real repository whose commits are scanned one by one, some of them, as a test says."""

from infraaudit.scans.lifecycles import Line
from infraaudit_domain.scans.findings import Finding, ScanStatus
from resources.git.mirror import Mirror
from resources.history import History
from resources.history.queries.lives import life_events
from tests.conftest import Repository
from tests.infraaudit.scans.made_scans import scan


class Audited:
    """A repository and the scans of some of its commits."""

    def __init__(self, history: History, repository: Repository) -> None:
        self.history, self.repository = history, repository

    def commit(self, *found: Finding, files: dict[str, str | None] | None = None, scanned: bool = True) -> str:
        sha = self.repository.write(files or {}, "next")
        return self.scan(sha, *found) if scanned else sha

    def merge(self, branch: str, *found: Finding, scanned: bool = True) -> str:
        self.repository.git("merge", "--quiet", "--no-ff", "-s", "ours", "-m", f"Merge {branch}", branch)
        sha = self.repository.git("rev-parse", "HEAD")
        return self.scan(sha, *found) if scanned else sha

    def scan(self, sha: str, *found: Finding, status: ScanStatus = ScanStatus.COMPLETE) -> str:
        self.history.record_commit("p", self.mirror.commit(sha))
        self.history.record_scan("p", scan(sha, list(found), status))
        return sha

    def switch(self, branch: str, start: str | None = None) -> None:
        self.repository.git("switch", "--quiet", *(["-c", branch, start] if start else [branch]))

    @property
    def mirror(self) -> Mirror:
        return self.repository.mirror()

    @property
    def line(self) -> Line:
        return Line(self.history, self.mirror, "p", "main").follow()

    def events(self) -> list[tuple[str, str, str, str]]:
        rows = life_events(self.line, "production")
        return [(row["resource"], row["event"], row["commit"], row["certainty"]) for row in rows]
