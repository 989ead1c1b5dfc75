"""What a commit's Checkov configuration hides: found all the same, and marked.

A commit may tighten its own scan, never loosen it: nothing of its configuration is given to Checkov, so that the history
shows what is there, and the gate decides what may be hidden (as_judged.py). Deliberately absent: Checkov's comments in
the code, which its report shows as suppressed itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from infraaudit_domain.path_patterns import Finder
from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS, CheckovConfig
from infraaudit_domain.scans.evidence import EVERY_FILE
from infraaudit_domain.scans.findings import Finding, FindingStatus, FrameworkScan, ScanStatus, UnreadableFile

CONFIGURATION, INLINE = "configuration", "inline"
SCANNER = "the scanner"
"""What hides a file that Checkov opens under no configuration, by its name."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """One thing of a configuration that hides something: a key, and the value in it (or, for an allow-list, missing)."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key} without {self.value}" if self.key in ("framework", "check") else f"{self.key} {self.value}"


def listed(config: CheckovConfig) -> list[str]:
    """All that a configuration hides, each in a few words."""
    left_out = set(DEFAULT_FRAMEWORKS) - {*config.frameworks, *config.skip_frameworks}
    only = [("framework", config.frameworks)] if left_out else []
    only += [("check", config.checks)] if config.checks else []
    skipped = {
        "skip-framework": config.skip_frameworks, "skip-check": config.skip_checks, "skip-path": config.skip_paths,
    }  # fmt: skip
    alone = [f"all but {key} {', '.join(values) or 'none'}" for key, values in only]
    return alone + [f"{key} {value}" for key, values in skipped.items() for value in values]


class Hider:
    """Says what a configuration hides, and why."""

    def __init__(self, config: CheckovConfig) -> None:
        self._config = config
        self._skipped = Finder(config.skip_paths)

    def of_framework(self, framework: str) -> Iterator[Hiding]:
        """Why all of a framework is hidden."""
        if framework in self._config.skip_frameworks:
            yield Hiding("skip-framework", framework)
        elif framework not in self._config.frameworks:
            yield Hiding("framework", framework)

    def of_file(self, path: str, framework: str) -> Iterator[Hiding]:
        """Why a file is hidden from a framework, so that it is no gap where it could not be read."""
        yield from self.of_framework(framework)
        if path != EVERY_FILE:
            yield from (Hiding("skip-path", pattern) for pattern in self._skipped.found(path))

    def of_finding(self, finding: Finding) -> Iterator[Hiding]:
        """Why a finding is hidden; the first reason is the one that is shown."""
        yield from self.of_framework(finding.framework)
        if self._config.checks and not _is_among(finding.check_id, self._config.checks):
            yield Hiding("check", finding.check_id)
        skipping = (pattern for pattern in self._config.skip_checks if _is_among(finding.check_id, (pattern,)))
        yield from (Hiding("skip-check", pattern) for pattern in skipping)
        yield from (Hiding("skip-path", pattern) for pattern in self._skipped.found(finding.file_path))


def marked(part: FrameworkScan, hider: Hider, file: str) -> FrameworkScan:
    """A framework's result with what the configuration in ``file`` hides as suppressed; its gaps there count no more."""
    findings = tuple(_marked(finding, hider, file) for finding in part.findings)
    gaps = tuple(with_hiding(gap, part.framework, hider) for gap in part.unreadable)
    found = replace(part, findings=findings, unreadable=gaps)
    is_read = part.status is ScanStatus.PARTIAL and bool(gaps) and all(gap.hidden_by for gap in gaps)
    return replace(found, status=ScanStatus.COMPLETE, reason="") if is_read else found


def with_hiding(gap: UnreadableFile, framework: str, hider: Hider) -> UnreadableFile:
    """A gap, with what of the configuration says that the file need not be read, unless the scanner never reads it."""
    if gap.hidden_by:
        return gap
    why = next(hider.of_file(gap.path, framework), None)
    return gap if why is None else replace(gap, hidden_by=str(why))


def _marked(finding: Finding, hider: Hider, file: str) -> Finding:
    why = next(hider.of_finding(finding), None) if finding.is_open else None
    if why is None:
        return finding
    return replace(
        finding,
        status=FindingStatus.SUPPRESSED,
        suppressed_by=CONFIGURATION,
        suppression_reason=f"{file}: {why}",
    )


def _is_among(check_id: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(check_id, pattern) for pattern in patterns)
