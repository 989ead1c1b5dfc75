"""The audit page as HTML, for the service that answers requests and for the file that is kept by commit.

It is a package of its own because both need it, and the assets may not import the service. Deliberately absent: HTTP
and its query strings (service/pages.py).
"""

from infraaudit.pages.audit.contents import (
    WINDOWS,
    Wanted,
    commit_of,
    deployments_of,
    finding_of,
    findings_of,
    overview,
)
from infraaudit.pages.audit.file import audit_file
from infraaudit.pages.audit.links import FileLinks, ServiceLinks
from infraaudit.pages.audit.past import PAGES, past_of
from infraaudit.pages.audit.projects import ORDERS as PROJECT_ORDERS
from infraaudit.pages.audit.projects import project_cards
from infraaudit.pages.audit.rendering import STYLE_HASH, render

__all__ = [
    "PAGES", "PROJECT_ORDERS", "STYLE_HASH", "WINDOWS", "FileLinks", "ServiceLinks", "Wanted", "audit_file", "commit_of",
    "deployments_of", "finding_of", "findings_of", "overview", "past_of", "project_cards", "render",
]  # fmt: skip
