"""The answers about what a scan read. Deliberately absent: reading it (resources/checkov)."""

from collections.abc import Sequence

from infraaudit.questions.asked import Asked, Page
from infraaudit.questions.findings import not_scanned
from infraaudit_domain.judging.acceptances import accepting
from resources.history.queries.coverage import FrameworkCoverage, Gap, count_of, coverage_of, scanned_parts


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
                "accepted": sum(_is_accepted(asked, part.framework, gap.path) for gap in part.gaps),
                "since": part.since,
                "reason": part.reason or None,
            }
            for part in parts
        ]
    )


def coverage_gaps(asked: Asked) -> Page:
    """One row for each file that was not read, and for each chart whose templates were not."""
    sha, parts = _covered(asked)
    positions = asked.line.positions()
    rows = []
    for part in parts:
        by_matter: dict[tuple[str, str], list[Gap]] = {}
        for gap in part.gaps:
            by_matter.setdefault((gap.part_of or gap.path, gap.reason), []).append(gap)
        for (path, reason), gaps in by_matter.items():
            first = min(gaps, key=lambda gap: positions.get(gap.since or "", len(positions)))
            rows.append(
                {
                    "commit": sha,
                    "framework": part.framework,
                    "file_path": path,
                    "reason": reason,
                    "since": first.since,
                    "accepted": all(_is_accepted(asked, part.framework, gap.path) for gap in gaps),
                    "files": sum(count_of(gap.path, gap.reason) for gap in gaps),
                }
            )
    return asked.cut(rows)


def _covered(asked: Asked) -> tuple[str, Sequence[FrameworkCoverage]]:
    sha = asked.commit_or_live()
    parts = scanned_parts(asked.history, asked.project, sha)
    if not parts:
        raise not_scanned(asked.project, sha)
    return sha, coverage_of(asked.line, sha, [p for p in parts if asked.text("framework") in ("", p["framework"])])


def _is_accepted(asked: Asked, framework: str, path: str) -> bool:
    """Whether the pipeline's configuration lets a framework leave a file unread today."""
    return accepting(asked.rules.accepted_gaps, framework, path, asked.now.date()) is not None
