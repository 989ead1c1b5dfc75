"""What a framework should have read of a commit and did not prove to have read: its gaps, and what they leave in doubt.

Deliberately absent: whether a gap is accepted, which is the pipeline's to say.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from infraaudit_domain.scans.appearance import Part
from infraaudit_domain.scans.checkov_report import Proven
from infraaudit_domain.scans.evidence import EVERY_FILE, Evidence
from infraaudit_domain.scans.expectation import chart_of
from infraaudit_domain.scans.findings import UnreadableFile

Parts = Mapping[str, tuple[Part, ...]]
_UNKNOWN = "the scanner passed over it without a word"


def unread_files(
    framework: str, expected: Parts, proven: Proven, reasons: Mapping[str, str], charts: Collection[str]
) -> Iterable[UnreadableFile]:
    """Files of which something that was expected was not read, with the reason where one is known."""
    for path, parts in expected.items():
        if missing := _missing(parts, _read(framework, path, proven)):
            reasons_given = [_of_parts(missing, parts), reasons.get(path, "")]
            reason = ": ".join(filter(None, reasons_given)) or _UNKNOWN
            chart = chart_of(path, charts) if framework == "kubernetes" else None
            yield UnreadableFile(path, reason if chart is None else f"{_template_of(chart)}: {reason}")


def _template_of(chart: str) -> str:
    return f"a template of the Helm chart {chart.rstrip('/') or '.'}"


_TYPE = {
    "arm": re.compile(r"([A-Za-z]+(?:\.[A-Za-z]+)+/[\w/]+)\."),
    "cloudformation": re.compile(r"((?:AWS|Alexa)::\w+::\w+)\."),
}
"""How a resource's name begins with its type."""


def _read(framework: str, path: str, proven: Proven) -> Sequence[int | str] | None:
    """What was read of a file; of a template itself and the types of those of its resources that the run knows."""
    if framework not in _TYPE or path not in proven.read:
        return proven.read.get(path, ())
    found = map(_TYPE[framework].match, proven.passed.get(path, ()))
    return ["", *{match.group(1) for match in found if match}]


def _missing(parts: Sequence[Part], read: Sequence[int | str] | None) -> list[Part]:
    if read is None:
        return []
    names = Counter(name for name in read if isinstance(name, str))
    lines = [line for line in read if isinstance(line, int)]
    missing = []
    for part in parts:
        if names[part.name] > 0:
            names[part.name] -= bool(part.name)
        elif not any(part.first <= line <= part.last for line in lines):
            missing.append(part)
    return missing


def _of_parts(missing: Sequence[Part], parts: Sequence[Part]) -> str:
    """Which parts are missing, where that is not all of them."""
    if len(missing) == len(parts):
        return ""
    named = ", ".join(part.name or f"the one in line {part.first}" for part in missing[:5])
    return f"{len(missing)} of {len(parts)} parts were not read ({named}{', …' if len(missing) > 5 else ''})"


def bounded(files: Sequence[UnreadableFile], most: int) -> tuple[UnreadableFile, ...]:
    """A hostile commit has 100,000 files that cannot be read; nobody reads their names, and each is stored."""
    if len(files) <= most:
        return tuple(files)
    hidden_by = files[most].hidden_by  # those that are hidden come last
    rest = UnreadableFile(EVERY_FILE, f"and {len(files) - most} more files that could not be read", hidden_by)
    return (*files[:most], rest)


def summary(framework: str, gaps: Sequence[UnreadableFile], charts: Collection[str]) -> str:
    """All gaps in a line: the templates of a chart are one matter, however many they are."""
    files = [gap for gap in gaps if not gap.check_id]
    by_chart = Counter(chart_of(gap.path, charts) if framework == "kubernetes" else None for gap in files)
    others = by_chart.pop(None, 0)
    words = [f"{others} file(s) could not be read"] if others else []
    words += [
        f"{count} template(s) of the Helm chart {str(chart).rstrip('/') or '.'} were not read"
        for chart, count in sorted(by_chart.items(), key=lambda item: str(item[0]))
    ]
    if crashed := len(gaps) - len(files):
        words.append(f"{crashed} check(s) broke on a resource and gave no verdict")
    return "; ".join(words)


def evidence(
    framework: str,
    expected: Parts,
    proven: Proven,
    gaps: Sequence[UnreadableFile],
    charts: Collection[str],
    reached: Collection[str] | None = None,
) -> Evidence:
    """What the run proves of the files that it read; nothing of what rests on files that it did not read.

    ``reached`` are the folders whose resources may be connected to what was not read; None for all.
    """
    unread = {gap.path for gap in gaps}
    doubtful = {posixpath.dirname(path) for path in unread} if framework == "terraform" else set()
    is_crossing_in_doubt = any(chart_of(path, charts) is None for path in unread)
    passed: dict[str, dict[str, frozenset[str]]] = {}
    for path, resources in proven.passed.items():
        if path in unread:
            continue
        if posixpath.dirname(path) in doubtful:
            passed[path] = dict.fromkeys(resources, frozenset[str]())
        elif is_crossing_in_doubt and proven.crossing and (reached is None or posixpath.dirname(path) in reached):
            passed[path] = {name: checks - proven.crossing for name, checks in resources.items()}
        else:
            passed[path] = dict(resources)
    undecided = {path: checks for path, checks in proven.undecided.items() if path not in unread}
    return Evidence(len(expected), passed, undecided)


_SOURCE = re.compile(r"""^[ \t]*source[ \t]*=[ \t]*"(\.{1,2}/[^"\n]*|\.{1,2})\"""", re.MULTILINE)


def called_with_unread_values(tree: Path, paths: Iterable[str], unread: Collection[str]) -> Iterable[UnreadableFile]:
    """Files of Terraform modules that are called from the folder of an unread file, from one module to the next.

    Their resources are known by the call's name and have its values.
    """
    files = _by_folder(paths)
    because = {posixpath.dirname(path): path for path in unread}
    origin = set(because)
    waiting = list(because)
    while waiting:
        folder = waiting.pop()
        for called in _called(tree, files, folder):
            if called not in because:
                because[called] = because[folder]
                waiting.append(called)
    for folder in because.keys() - origin:
        for path in files[folder]:
            yield UnreadableFile(path, f"its values come from {because[folder]}, which could not be read")


def connected(tree: Path, paths: Iterable[str], unread: Collection[str]) -> set[str]:
    """The folders of Terraform that calls of modules connect with those of unread files, in whatever direction."""
    files = _by_folder(paths)
    neighbours: dict[str, set[str]] = {folder: set() for folder in files}
    for folder in files:
        for called in _called(tree, files, folder):
            neighbours[folder].add(called)
            neighbours[called].add(folder)
    reached = {posixpath.dirname(path) for path in unread}
    waiting = list(reached)
    while waiting:
        new = neighbours.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    return reached


def _by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    files: dict[str, list[str]] = {}
    for path in paths:
        files.setdefault(posixpath.dirname(path), []).append(path)
    return files


def _called(tree: Path, files: Mapping[str, Sequence[str]], folder: str) -> set[str]:
    """The folders of modules that the files of one call."""
    return {place for path in files.get(folder, ()) for place in _called_from(tree / path, folder) if place in files}


def _called_from(file: Path, folder: str) -> set[str]:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return set()
    return {posixpath.normpath(posixpath.join(folder, source)).removeprefix(".") for source in _SOURCE.findall(text)}
