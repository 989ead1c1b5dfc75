"""Scan commits one after the other: known results are reused, the rest is scanned in one limited child.

A scan that fails is a value (``partial`` or ``failed``, with the reason). Deliberately absent: deciding what a
scan means for findings of other commits, and storing it.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS, CheckovConfig
from infraaudit_domain.scans.expectation import charts, is_known_by_name
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus, Severity, UnreadableFile
from infraaudit_domain.scans.hidings import Hider, marked
from infraaudit_domain.scans.scan_key import readable, scan_key
from resources.checkov.config_file import configuration
from resources.checkov.file_memo import FileMemo
from resources.checkov.framework_result import Job
from resources.checkov.framework_scans import scan_frameworks
from resources.checkov.limits import RenderLimits, ScanLimits
from resources.checkov.parent import Parent
from resources.checkov.reading.links import followed
from resources.checkov.rendering.kept import Kept
from resources.checkov.rendering.plan import Plan, Plans
from resources.checkov.rendering.renderer import FRAMEWORK as RENDERED
from resources.checkov.rendering.renderer import Renderer
from resources.checkov.rendering.results import Renderings
from resources.checkov.secret_key import key_digest, secret_key
from resources.checkov.tree import Facts, neutral_folder, printable, select, sweep
from resources.checkov.versions import scanner_version, versions_digest
from resources.git.mirror import Mirror

Reuse = Callable[[str], FrameworkScan | None]


def no_reuse(scan_key: str) -> FrameworkScan | None:
    """Nothing is stored: everything is scanned."""
    return None


class CheckovRunner(AbstractContextManager["CheckovRunner"]):
    """Scans commits; Checkov is started when the first of them needs it. One scan at a time."""

    def __init__(
        self,
        scratch: Path,
        severities: Mapping[str, Severity],
        reuse: Reuse = no_reuse,
        limits: ScanLimits = ScanLimits(),  # noqa: B008 - frozen
        render_limits: RenderLimits = RenderLimits(),  # noqa: B008 - frozen
        parent: Callable[[Path, ScanLimits, Path], Parent] = Parent,
        frameworks: Sequence[str] = DEFAULT_FRAMEWORKS,
    ) -> None:
        self._severities, self._reuse, self._limits = severities, reuse, limits
        self._names = tuple(frameworks)
        self._scratch = neutral_folder(scratch)
        self._secret_key = secret_key(scratch)
        self._facts = Facts()
        self._memo = None if reuse is no_reuse else FileMemo()
        self.parent = parent(self._scratch, limits, scratch.resolve())
        self._plans = Plans(render_limits)
        kept = None if reuse is no_reuse else Kept(scratch / "renderings")
        self._renderer = Renderer(self.parent, render_limits, self._secret_key, kept)
        self._circumstances = repr((versions_digest(), limits, render_limits))

    def __enter__(self) -> Self:
        sweep(self._scratch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process that holds Checkov."""
        self.parent.close()

    def scan(self, mirror: Mirror, sha: str, config_path: str, config_of: str | None = None) -> Scan:
        """Scan all of a commit, and mark what its own configuration (or another commit's) hides.

        Raises RepositoryError where the commit cannot be read and ScanError where Checkov cannot be started.
        """
        started_at, clock = datetime.now(UTC), time.monotonic()
        config, warnings = configuration(mirror, config_of or sha, config_path, self._limits)
        work = Path(tempfile.mkdtemp(dir=self._scratch, prefix="scan-"))
        try:
            scans = self._frameworks(mirror, sha, config, config_path, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return Scan(
            sha=sha,
            frameworks=tuple(self._rated(scan) for scan in scans),
            scanner_version=scanner_version(),
            config_digest=config.digest,
            started_at=started_at,
            seconds=time.monotonic() - clock,
            warnings=(*warnings, *self._slow()),
        )

    def _slow(self) -> tuple[str, ...]:
        left_out = ", ".join(self.parent.left_out)
        warning = f"The scan is slower than it could be: {left_out} does not fit the installed {scanner_version()}."
        return (warning,) if left_out else ()

    def _frameworks(
        self, mirror: Mirror, sha: str, config: CheckovConfig, config_path: str, work: Path
    ) -> list[FrameworkScan]:
        tree, names, hider = mirror.tree(sha), self._names, Hider(config)
        with_links = followed(mirror, tree, names)
        selection = select(with_links.entries, names, self._limits)
        left_out = _with_lost(selection.left_out, with_links.lost)
        self._facts.learn(mirror, selection.files, work)
        folders = charts([entry.path for entry in tree])
        expected = {name: self._facts.expected(name, selection.files, folders) for name in names}
        facts = self._facts.by_blob
        unopened = {name: self._facts.never_read(name, selection.files, folders) for name in names}
        reads = {name: readable(name, selection.files, facts, {*expected[name], *unopened[name]}) for name in names}
        plan = self._plans.of(tree, mirror, work)
        keys = {name: self._key(name, reads[name], config, left_out[name], folders, plan) for name in names}
        known = {name: self._known(keys[name]) for name in names}
        is_rendered = plan.units and known[RENDERED] is None
        job = Job(
            sha=sha,
            frameworks=tuple(name for name in names if known[name] is None),
            keys=keys,
            reads=reads,
            expected=expected,
            charts=folders,
            left_out=left_out,
            unopened=unopened,
            arguments=[],
            hider=hider,
            renderings=self._renderer.rendered(plan, self._circumstances, mirror, work)
            if is_rendered
            else Renderings(),
            memo=self._memo,
        )
        fresh = scan_frameworks(job, mirror, work, self.parent, self._limits, self._secret_key)
        return [known[name] or marked(fresh[name], hider, config_path) for name in names]

    def _key(
        self,
        name: str,
        files: Sequence[TreeEntry],
        config: CheckovConfig,
        left_out: Sequence[UnreadableFile],
        folders: frozenset[str],
        plan: Plan,
    ) -> str:
        key = key_digest(self._secret_key) if name == "secrets" else ""
        bounds = (self._limits.yaml_depth, self._limits.yaml_nodes)
        gaps = [(file.path, file.reason) for file in left_out]
        rendered = [sorted(folders), plan.key] if name == RENDERED else []
        hidden = [str(why) for why in Hider(config).of_framework(name)]
        return scan_key(name, files, versions_digest(), (config.filters, hidden, gaps, bounds, key, rendered))

    def _known(self, key: str) -> FrameworkScan | None:
        stored = self._reuse(key)
        usable = stored is not None and stored.status is not ScanStatus.FAILED
        return replace(stored, reused=True, seconds=0.0) if stored is not None and usable else None

    def _rated(self, scan: FrameworkScan) -> FrameworkScan:
        rated = (
            replace(finding, severity=self._severities.get(finding.check_id, Severity.UNKNOWN))
            for finding in scan.findings
        )
        return replace(scan, findings=tuple(rated))


def _with_lost(
    left_out: Mapping[str, tuple[UnreadableFile, ...]], lost: Mapping[str, str]
) -> dict[str, tuple[UnreadableFile, ...]]:
    """The gaps of each framework, with those of the links that lead nowhere and have a name that it takes files by."""
    gaps = {
        path: UnreadableFile(printable(path), f"it is a link to {place or 'nothing'}, no file of the commit")
        for path, place in lost.items()
    }
    return {
        name: (*known, *(gap for path, gap in gaps.items() if is_known_by_name(name, path)))
        for name, known in left_out.items()
    }
