"""The answers about what a scan read. Deliberately absent: reading it (resources/checkov)."""

from collections.abc import Sequence

from infraaudit.questions.asked import Asked, Page
from infraaudit.questions.findings import not_scanned
from resources.history.queries.coverage import FrameworkCoverage, coverage_of, scanned_parts


def coverage(asked: Asked) -> Page:
    """One row for each framework."""
    sha, parts = _covered(asked)
    return asked.cut(
        [
            {
                "commit": sha,
                "framework": part.framework,
                "status": part.status,
                "expected": part.expected,
                "read": part.read,
                "unread": part.unread,
                "accepted": 0,
                "since": part.since,
                "reason": part.reason or None,
            }
            for part in parts
        ]
    )


def coverage_gaps(asked: Asked) -> Page:
    """One row for each file that was not read."""
    sha, parts = _covered(asked)
    return asked.cut(
        [
            {
                "commit": sha,
                "framework": part.framework,
                "file_path": gap.path,
                "reason": gap.reason,
                "since": gap.since,
                "accepted": False,
            }
            for part in parts
            for gap in part.gaps
        ]
    )


def _covered(asked: Asked) -> tuple[str, Sequence[FrameworkCoverage]]:
    sha = asked.commit_or_live()
    parts = scanned_parts(asked.history, asked.project, sha)
    if not parts:
        raise not_scanned(asked.project, sha)
    return sha, coverage_of(asked.line, sha, [p for p in parts if asked.text("framework") in ("", p["framework"])])
