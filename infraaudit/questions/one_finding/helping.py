"""What helps to fix one finding: where to read about it, its code, its owner, and how to accept it or follow its life.

The code is read from Git when it is asked for, at the commit where the finding was last seen, and is kept nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from infraaudit.questions.asked import ProjectRules
from infraaudit_domain.errors import RepositoryError
from infraaudit_domain.reporting.acceptance import comment, entry
from infraaudit_domain.reporting.code_lines import code_lines, numbered
from infraaudit_domain.reporting.owners import owners_of
from infraaudit_domain.scans.findings import Finding
from resources.git.code_owners import owner_rules
from resources.git.mirror import Mirror
from resources.history import History, schema
from resources.history.queries.finding_life import finding_life
from resources.history.rows import finding_of
from resources.history.stored_line import StoredLine

_ACCEPTED_DAYS = 90
_FILE_BYTES = 2 * 1024 * 1024
_FILES = 500


@dataclass(slots=True)
class Code:
    """The code of findings of one commit. A file that Git cannot give, and one that is too large, has none."""

    history: History
    mirror: Mirror | None
    project: str
    sha: str
    _texts: dict[str, str | None] = field(default_factory=dict)
    _secrets: Mapping[str, set[int]] | None = None

    def lines(self, finding: Finding) -> list[tuple[int, str]]:
        """The lines of a finding with their numbers, secrets masked; none where they cannot be had."""
        text = self._text(finding.file_path)
        if text is None:
            return []
        secret = set(self._secret_lines().get(finding.file_path, ()))
        if finding.framework == "secrets":
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

    def _secret_lines(self) -> Mapping[str, set[int]]:
        if self._secrets is None:
            self._secrets = _secret_lines(self.history, self.project, self.sha)
        return self._secrets


def _secret_lines(history: History, project: str, sha: str) -> Mapping[str, set[int]]:
    """The lines in which the scan of a commit found secrets, by file."""
    parts, findings = schema.scan_parts, schema.findings
    query = (
        sa.select(findings.c.file_path, findings.c.line_start, findings.c.line_end)
        .join(parts, parts.c.scan_key == findings.c.scan_key)
        .where(parts.c.project == project, parts.c.sha == sha, findings.c.framework == "secrets")
    )
    found: dict[str, set[int]] = {}
    for row in history.rows(query):
        found.setdefault(row["file_path"], set()).update(range(row["line_start"], row["line_end"] + 1))
    return found


def help_for(line: StoredLine, rules: ProjectRules, fingerprint: str, today: date) -> dict[str, Any] | None:
    """All that helps with one finding, as it was last seen; None for a finding that no commit had."""
    life = finding_life(line, fingerprint)
    if life is None:
        return None
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
