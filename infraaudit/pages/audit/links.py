"""The link targets on a page: pages of the service, or anchors in the same file. An empty link means none."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode


class Links(Protocol):
    def overview(self) -> str: ...
    def findings(self, sha: str = "", **query: str) -> str: ...
    def finding(self, fingerprint: str) -> str: ...
    def commit(self, sha: str) -> str: ...
    def deployments(self) -> str: ...
    def past(self, page: str, **query: str) -> str: ...
    def table(self, name: str, form: str, query: Mapping[str, str] | None = None) -> str: ...
    def run(self, run_id: str | None) -> str: ...


@dataclass(frozen=True, slots=True)
class ServiceLinks:
    """Links between the pages of the service."""

    project: str
    dagster_url: str = ""

    def overview(self) -> str:
        return f"/projects/{quote(self.project)}"

    def findings(self, sha: str = "", **query: str) -> str:
        return f"{self.overview()}/findings{_query({'commit': sha} | query)}"

    def finding(self, fingerprint: str) -> str:
        return f"{self.overview()}/findings/{quote(fingerprint)}"

    def commit(self, sha: str) -> str:
        return f"{self.overview()}/commits/{quote(sha)}"

    def deployments(self) -> str:
        return f"{self.overview()}/deployments"

    def past(self, page: str, **query: str) -> str:
        return f"{self.overview()}/past/{page}{_query(query)}"

    def table(self, name: str, form: str, query: Mapping[str, str] | None = None) -> str:
        """The same table from the API, as csv or json."""
        return f"/api/v1{self.overview()}/{name}{_query({**(query or {}), 'format': form})}"

    def run(self, run_id: str | None) -> str:
        return f"{self.dagster_url.rstrip('/')}/runs/{quote(run_id)}" if self.dagster_url and run_id else ""


@dataclass(frozen=True, slots=True)
class FileLinks:
    """Links within one file; empty for what the file does not contain."""

    sha: str
    commits: Collection[str]
    listed: Collection[str]
    """Fingerprints of the findings in the file."""
    dagster_url: str = ""

    def overview(self) -> str:
        return "#content"

    def findings(self, sha: str = "", **query: str) -> str:
        return "#findings" if sha in ("", self.sha) and not query else ""

    def finding(self, fingerprint: str) -> str:
        return f"#finding-{fingerprint}" if fingerprint in self.listed else ""

    def commit(self, sha: str) -> str:
        return f"#commit-{sha}" if sha in self.commits else ""

    def deployments(self) -> str:
        return "#deployments"

    def past(self, page: str, **query: str) -> str:
        return ""

    def table(self, name: str, form: str, query: Mapping[str, str] | None = None) -> str:
        return ""

    def run(self, run_id: str | None) -> str:
        return ServiceLinks("", self.dagster_url).run(run_id)


def _query(given: Mapping[str, str]) -> str:
    kept = {name: value for name, value in given.items() if value}
    return f"?{urlencode(kept)}" if kept else ""
