"""The audit page of one commit as a self-contained file: for the record, and for sites without the service."""

from datetime import datetime

from infraaudit.pages.audit.contents import Wanted, findings_of, overview
from infraaudit.pages.audit.links import FileLinks
from infraaudit.pages.audit.rendering import render
from infraaudit.questions.marks import mark_of_line
from resources.history import History
from resources.history.queries.commit_pages import CommitFilter, commit_page, deployment_page
from resources.history.queries.finding_pages import FindingFilter, finding_page
from resources.history.stored_line import stored_line

_COMMITS, _FINDINGS, _DEPLOYMENTS = 100, 2000, 100


def audit_file(history: History, project: str, sha: str, now: datetime, dagster_url: str = "") -> str:
    """The page as HTML, with the state of the history as it is now and the findings of this commit."""
    line, any_finding = stored_line(history, project), FindingFilter()
    commits = commit_page(line, CommitFilter(), _COMMITS, 0)[1]
    listed = finding_page(line, sha, any_finding, now, _FINDINGS, 0)[1]
    links = FileLinks(sha, {row["sha"] for row in commits}, {row["id"] for row in listed}, dagster_url)
    found = findings_of(line, sha, any_finding, links, now, _FINDINGS, 0)
    values = overview(line, Wanted(limit=_COMMITS), links, now) | {
        "title": f"{project} at {sha[:7]}",
        "sha": sha,
        "provisional": mark_of_line(line),
        "commit": found["commit"],
        "rows": found["rows"],
        "found": found["total"],
        "deployments": deployment_page(history, project, limit=_DEPLOYMENTS)[1],
    }
    return render("file.html", **values)
