"""`infraaudit export`: the findings of one commit for other tools."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.audit import suppressions_for
from infraaudit_assets.commands.options import ProjectName
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import HistoryError
from infraaudit_domain.findings import Finding, Scan
from infraaudit_domain.projects import Project

if TYPE_CHECKING:
    from resources.history import History


class Exchange(StrEnum):
    SARIF = "sarif"
    JSON = "json"
    CSV = "csv"
    CYCLONEDX = "cyclonedx"


def export(
    project: ProjectName,
    form: Annotated[Exchange, typer.Option("--format", help="What to write.")],
    commit: Annotated[str | None, typer.Option(help="Branch, tag or SHA; the newest commit by default.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output without.")] = None,
) -> None:
    """Write a commit's findings as SARIF, JSON, CSV or CycloneDX."""
    from resources.history import open_history
    from resources.machine.atomic_file import write_atomically

    found = find_project(project)
    mirror = mirror_of(found)
    if not mirror.path.exists():
        mirror.fetch()
    sha = mirror.resolve(commit or found.deploy_branch)
    text = _text(form, found, _scan(open_history(settings().history_url), found, sha))
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(output, text.encode("utf-8", "surrogateescape"))


def _scan(past: "History", project: Project, sha: str) -> Scan:
    scan = past.scan(project.name, sha)
    if scan is None:
        raise HistoryError(
            f"{sha[:12]} of {project.name} has not been scanned. "
            f"Run: infraaudit scan --project {project.name} --commit {sha[:12]}"
        )
    return scan


def _text(form: Exchange, project: Project, raw: Scan) -> str:
    from infraaudit_domain.exchange import cyclonedx, sarif
    from infraaudit_domain.suppressions import hide_in

    scan = hide_in(raw, suppressions_for(project), datetime.now(UTC).date())
    findings = sorted(scan.findings, key=lambda f: (f.file_path, f.line_start, f.check_id, f.fingerprint))
    if form is Exchange.CSV:
        return _csv(findings)
    document: object
    if form is Exchange.SARIF:
        outside = {f.fingerprint for f in raw.findings if f.status == "open"}
        document = sarif(findings, project.url, scan.sha, scan.scanner_version, outside)
    elif form is Exchange.CYCLONEDX:
        document = cyclonedx(findings, project.name, scan.sha)
    else:
        document = [{"id": finding.fingerprint} | asdict(finding) for finding in findings]
    return json.dumps(document, indent=2) + "\n"


def _csv(findings: list[Finding]) -> str:
    import csv
    import io

    text = io.StringIO()
    names = ["id", *Finding.__dataclass_fields__]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({"id": finding.fingerprint} | asdict(finding) for finding in findings)
    return text.getvalue()
