"""A commit's files as Checkov sees them: regular files only, within the limits, in a neutral folder."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infraaudit_domain.commits import TreeEntry
from infraaudit_domain.errors import ScanError
from infraaudit_domain.scans.appearance import Part
from infraaudit_domain.scans.expectation import expected_parts, kind_of, look, never_entered, never_read
from infraaudit_domain.scans.findings import UnreadableFile
from infraaudit_domain.scans.hidings import SCANNER
from infraaudit_domain.scans.scan_key import BlobFacts, blob_facts, concerned, is_recognised_by_words, may_read
from resources.checkov.caches import is_private
from resources.checkov.limits import ScanLimits
from resources.git.mirror import Mirror

_TAINTED = re.compile(
    r"venv|node_modules|\.git|\.terraform|\.serverless|\.external_modules|site-packages|dist-packages|/\."
)
"""Checkov drops findings of files with one of these words anywhere in their absolute path; a hidden folder in it, such
as .infraaudit, hides every Kubernetes manifest."""
LEFT_BEHIND_SECONDS = 24 * 3600
_NEVER_READ = 100
"""Files that Checkov never opens, listed by their own names."""
_OWN_SETTINGS = (".checkov.yaml", ".checkov.yml")


@dataclass(frozen=True, slots=True)
class Selection:
    """The files of a tree that are scanned, and those that had to be left out."""

    files: tuple[TreeEntry, ...]
    left_out: Mapping[str, tuple[UnreadableFile, ...]]
    """By framework: a file that it would not have opened is no gap in its result."""


def select(entries: Iterable[TreeEntry], frameworks: Sequence[str], limits: ScanLimits) -> Selection:
    """The files that any of the frameworks may read, within the limits."""
    entries = [entry for entry in entries if entry.is_file and entry.path not in _OWN_SETTINGS]
    reading = concerned(frameworks, (entry.path for entry in entries))
    files: list[TreeEntry] = []
    left_out: dict[str, list[UnreadableFile]] = {framework: [] for framework in frameworks}
    total = 0
    for entry in entries:
        if not any(may_read(framework, entry.path) for framework in reading):
            continue
        if reason := _objection(entry, len(files), total, limits):
            for framework in reading:
                if may_read(framework, entry.path):
                    left_out[framework].append(UnreadableFile(printable(entry.path), reason))
        else:
            files.append(entry)
            total += entry.size or 0
    return Selection(tuple(files), {framework: tuple(gaps) for framework, gaps in left_out.items()})


def _objection(entry: TreeEntry, count: int, total: int, limits: ScanLimits) -> str:
    if printable(entry.path) != entry.path:
        return "its name is not UTF-8 text"
    if entry.size is None:
        return "the mirror does not hold its content"
    if entry.size > limits.file_bytes:
        return f"it has {entry.size} bytes, more than {limits.file_bytes}"
    if count >= limits.files:
        return f"the commit has more than {limits.files} files to scan"
    if total + entry.size > limits.total_bytes:
        return f"the commit has more than {limits.total_bytes} bytes to scan"
    return ""


def printable(path: str) -> str:
    """A path as it may be shown and stored."""
    text = path.encode("utf-8", "backslashreplace").decode()
    return text if text.isprintable() else ascii(text)[1:-1]


def neutral_folder(scratch: Path) -> Path:
    """A folder for trees whose own path does not change what Checkov reports: the given one, else a private one among
    the temporary files. Raises ScanError where there is none."""
    scratch.mkdir(parents=True, exist_ok=True)
    if not _TAINTED.search(str(scratch.resolve())):
        return scratch.resolve()
    for parent in (tempfile.gettempdir(), "/var/tmp", "/tmp"):
        private = Path(parent).resolve() / f"infraaudit-scans-{os.geteuid()}"
        if not _TAINTED.search(str(private)) and is_private(private):
            return private
    raise ScanError(
        f"Checkov leaves out files below {scratch}, and no other folder is private: set INFRAAUDIT_HOME or TMPDIR to a "
        "folder without hidden parts in its path."
    )


class Facts:
    """Facts about blobs, kept between scans; each blob is read once."""

    def __init__(self, most: int = 200_000) -> None:
        self.by_blob: dict[str, BlobFacts] = {}
        self._looks: dict[tuple[str, str], tuple[Part, ...]] = {}
        self._most = most

    def learn(self, mirror: Mirror, entries: Iterable[TreeEntry], work: Path) -> None:
        """Read those blobs of the entries that are recognised by their words or their looks and not known yet."""
        if len(self._looks) > self._most:
            self.by_blob.clear()
            self._looks.clear()
        unknown = {(entry.blob, kind): entry for entry in entries if (kind := kind_of(entry.path))}
        unknown = {key: entry for key, entry in unknown.items() if key not in self._looks}
        if not unknown:
            return
        folder = Path(tempfile.mkdtemp(dir=work, prefix="facts-"))
        mirror.export({e.blob: TreeEntry("100644", e.blob, e.size, e.blob) for e in unknown.values()}.values(), folder)
        for (blob, kind), entry in unknown.items():
            content = (folder / blob).read_bytes()
            self._looks[blob, kind] = look(kind, content)
            if is_recognised_by_words(entry.path):
                self.by_blob[blob] = blob_facts(content)
        shutil.rmtree(folder)

    def expected(
        self, framework: str, entries: Iterable[TreeEntry], charts: frozenset[str]
    ) -> dict[str, tuple[Part, ...]]:
        """By path: what a framework has to read of these files, none of which is to be skipped."""
        return {
            entry.path: parts
            for entry in entries
            if may_read(framework, entry.path)
            and (parts := expected_parts(framework, entry.path, self._parts(entry), charts))
        }

    def never_read(self, framework: str, entries: Iterable[TreeEntry], charts: frozenset[str]) -> dict[str, str]:
        """By path: why Checkov opens no file of such a name, for those that are meant for a framework."""
        return {
            entry.path: reason
            for entry in entries
            if may_read(framework, entry.path)
            and (reason := never_read(framework, entry.path, self._parts(entry), charts))
        }

    def _parts(self, entry: TreeEntry) -> tuple[Part, ...]:
        return self._looks.get((entry.blob, kind_of(entry.path)), ())


def unopened(framework: str, files: Mapping[str, str]) -> tuple[UnreadableFile, ...]:
    """The gaps of files that Checkov opens under no configuration; where they are many, of their folders."""
    if len(files) > _NEVER_READ:
        files = {never_entered(framework, path) or path: reason for path, reason in files.items()}
    return tuple(UnreadableFile(path, reason, SCANNER) for path, reason in sorted(files.items()))


def link_files(tree: Path, paths: Iterable[str], destination: Path) -> Path:
    """A second tree with some files of the first, as hard links."""
    for path in paths:
        target = destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(tree / path, target)
    return destination


def sweep(scratch: Path) -> list[Path]:
    """Remove what killed scans left behind: our folders that were not touched for a day. Returns what went."""
    gone = []
    for folder in (*scratch.glob("scan-*"), *scratch.glob("parent-*")):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > LEFT_BEHIND_SECONDS:
                shutil.rmtree(folder)
                gone.append(folder)
    return gone
