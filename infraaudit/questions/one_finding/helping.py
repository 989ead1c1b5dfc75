"""What helps to fix one finding: where to read about it, its code, its owner, and how to accept it or follow its life.

The code is read from Git when it is asked for, at the commit where the finding was last seen, and is kept nowhere. No
code is shown where it is not known which of its lines are secrets.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from infraaudit.questions.asked import ProjectRules
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.reporting.acceptance import comment, entry
from infraaudit_domain.reporting.code_lines import code_lines, numbered
from infraaudit_domain.reporting.owners import owners_of
from infraaudit_domain.retention import PRUNED
from infraaudit_domain.scans.evidence import EVERY_FILE, is_unread
from infraaudit_domain.scans.findings import Finding, ScanStatus
from resources.git.code_owners import owner_rules
from resources.git.mirror import Mirror
from resources.history import History, schema
from resources.history.queries.coverage import scanned_parts
from resources.history.queries.finding_life import FindingLife
from resources.history.rows import finding_of
from resources.history.stored_line import StoredLine

_ACCEPTED_DAYS = 90
_FILE_BYTES = 2 * 1024 * 1024
_FILES = 500
_FRAMEWORK = "secrets"


@dataclass(frozen=True, slots=True)
class _Secrets:
    """The lines in which the scan of a commit found secrets, by file, and what it did not read for them."""

    lines: Mapping[str, set[int]]
    unread: Collection[str]


@dataclass(slots=True)
class Code:
    """The code of findings of one commit.

    A file that Git cannot give, that is too large, or whose secrets are not known, has none.
    """

    history: History
    mirror: Mirror | None
    project: str
    sha: str
    _texts: dict[str, str | None] = field(default_factory=dict)
    _secrets: _Secrets | None = None

    def lines(self, finding: Finding) -> list[tuple[int, str]]:
        """The lines of a finding with their numbers, secrets masked; none where they cannot be had."""
        secrets, path = self._known_secrets(), finding.file_path
        text = None if is_unread(path, secrets.unread) else self._text(path)
        if text is None:
            return []
        secret = set(secrets.lines.get(path, ()))
        if finding.framework == _FRAMEWORK:
            secret |= set(range(finding.line_start, finding.line_end + 1))
        return code_lines(text, finding.line_start, finding.line_end, secret)

    def _text(self, path: str) -> str | None:
        if path not in self._texts and len(self._texts) < _FILES:
            self._texts[path] = self._read(path)
        return self._texts.get(path)

    def _read(self, path: str) -> str | None:
        if self.mirror is None:
            return None
        try:
            content = self.mirror.read(self.sha, path, _FILE_BYTES)
        except RepositoryError:
            return None
        return None if content is None else content.decode("utf-8", "replace")

    def _known_secrets(self) -> _Secrets:
        if self._secrets is None:
            self._secrets = _secrets_of(self.history, self.project, self.sha)
        return self._secrets


def _secrets_of(history: History, project: str, sha: str) -> _Secrets:
    """Nothing counts as read where the framework failed, was pruned, or is not part of the commit's scan."""
    results = scanned_parts(history, project, sha)
    part = next((one for one in results if one["framework"] == _FRAMEWORK), None)
    if part is None or part["status"] == ScanStatus.FAILED or part["reason"] == PRUNED:
        return _Secrets({}, (EVERY_FILE,))
    table = schema.findings
    query = sa.select(table.c.file_path, table.c.line_start, table.c.line_end)
    found: dict[str, set[int]] = {}
    for row in history.rows(query.where(table.c.scan_key == part["scan_key"], table.c.framework == _FRAMEWORK)):
        found.setdefault(row["file_path"], set()).update(range(row["line_start"], row["line_end"] + 1))
    return _Secrets(found, tuple(file["path"] for file in part["unreadable"]))


def help_for(line: StoredLine, rules: ProjectRules, life: FindingLife, today: date) -> dict[str, Any]:
    """All that helps with one finding, as it was last seen."""
    sha, finding = life.finding["seen_in"], finding_of(life.finding)
    remedy = rules.remedies.of(finding.check_id, finding.guideline)
    code = Code(line.history, rules.mirror, line.project, sha)
    names = (
        "severity",
        "check_id",
        "check_name",
        "framework",
        "status",
        "file_path",
        "line_start",
        "line_end",
        "resource",
    )
    return {name: getattr(finding, name) for name in names} | {
        "id": finding.fingerprint,
        "commit": sha,
        "code": numbered(code.lines(finding)) or None,
        "guideline": remedy.link or None,
        "remedy": remedy.text or None,
        "owner": _owners(rules.mirror, line.branch, finding.file_path) or None,
        "accept_in_code": comment(finding),
        "accept_in_file": entry(finding, today + timedelta(days=_ACCEPTED_DAYS)),
        "accept_file": f"configs/suppressions/{line.project}.yaml",
        "life": f"infraaudit life {finding.fingerprint[:12]} --project {line.project}",
    }


def _owners(mirror: Mirror | None, branch: str, path: str) -> str:
    """The owners of a file by the branch's CODEOWNERS."""
    return " ".join(owners_of(owner_rules(mirror, branch), [path])) if mirror else ""
