"""Compare the runner with one Checkov process per commit: the same history, the same machine, interleaved.

    python benchmarks/scan_backfill.py PATH-OF-A-GIT-DIRECTORY [--commits 60] [--fresh 60] [--unpatched 6] [--workers 2]
                                       [--keep FOLDER]

The newest ``--commits`` of the first-parent history are scanned with reuse, by framework alone and by file too, from
an empty store and with Checkov's start counted; again by several workers into a history database; and a sample of
them, taken in between, by a fresh ``checkov -d`` each, by the warm fork with nothing reused and by one without our
patches. Prints CPU and wall seconds a commit and whether every finding of every way is equal, by framework, check,
file, resource, lines, ordinal and status. The fresh process gets the same frameworks, an empty home and its own
defaults otherwise. With ``--keep``, what the fresh processes found and cost stays in that folder and is not measured
again, so that a long comparison can be stopped and resumed. Exits with 1 where a finding differs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infraaudit.scans.backfill import Backfill
from infraaudit_domain.projects import Project
from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_domain.scans.checkov_report import parse_report
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus
from resources.checkov import CheckovRunner, parent
from resources.checkov.secret_key import secret_key
from resources.git.mirror import Mirror
from resources.history import open_history

NO_CONFIG = "no-such-file"
Findings = frozenset[tuple[object, ...]]
UNPATCHED = "from resources.checkov.speedups import patches\npatches.apply = lambda folder: (None, [])\n"


@dataclass
class Way:
    """One way to scan, and its cost so far."""

    name: str
    runner: CheckovRunner | None = None
    known: dict[str, FrameworkScan] = field(default_factory=dict)
    commits: int = 0
    cpu: float = 0.0
    wall: float = 0.0

    @contextmanager
    def timed(self, commits: int = 1) -> Iterator[None]:
        wall, cpu = time.monotonic(), self._cpu()
        yield
        self.wall += time.monotonic() - wall
        self.cpu += self._cpu() - cpu
        self.commits += commits

    def _cpu(self) -> float:
        """CPU of this process, of ended children, and of the running parent with its ended children."""
        times = os.times()
        return sum(times[:4]) + _spent_by(self.runner.parent.pid if self.runner else None)

    def line(self, base: "Way") -> str:
        cpu, wall = self.cpu / self.commits, self.wall / self.commits
        times = f"{base.cpu / base.commits / cpu:6.1f} x CPU {base.wall / base.commits / wall:6.1f} x wall"
        return f"{self.name:28} {self.commits:5} commits  CPU {cpu:7.3f} s  wall {wall:7.3f} s a commit  {times}"


def main() -> None:
    options = _options()
    mirror = Mirror("benchmark", options.repository)
    history = mirror.first_parents(mirror.resolve(options.revision))[-options.commits :]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        unequal = _compare(mirror, history, options, (options.keep or Path(folder)).resolve(), stack)
    sys.exit(1 if unequal else 0)


def _compare(mirror: Mirror, history: list[str], options: argparse.Namespace, work: Path, stack: ExitStack) -> int:
    fresh, unpatched = Way("a fresh process"), Way("the warm fork, not patched")
    fork, by_framework, by_file = Way("the warm fork"), Way("+ reuse by framework"), Way("+ reuse by file")
    for way in (unpatched, fork):
        way.runner = stack.enter_context(CheckovRunner(work / "scans", {}))
    for way in (by_framework, by_file):
        way.runner = stack.enter_context(CheckovRunner(work / "scans", {}, way.known.get))
    by_framework.runner._memo = None  # type: ignore[union-attr]
    if options.unpatched:
        _start_unpatched(unpatched, mirror, history[0], work)
    several = Way(f"the same, {options.workers} workers")
    stored = _several(several, mirror, history, options.workers, work)
    wrong = 0
    for number, sha in enumerate(history):
        found = {way.name: _scan(way, mirror, sha) for way in (by_framework, by_file)}
        found[several.name] = stored[sha]
        if _is_sampled(number, len(history), options.fresh):
            found[fresh.name], found[fork.name] = _fresh(fresh, mirror, sha, work), _scan(fork, mirror, sha)
        if _is_sampled(number, len(history), options.unpatched):
            found[unpatched.name] = _scan(unpatched, mirror, sha)
        wrong += _differ(sha, found)
    for way in (fresh, unpatched, fork, by_framework, by_file, several):
        if way.commits:
            print(way.line(fresh))
    peak = max(way.runner.parent.peak_memory for way in (fork, by_framework, by_file) if way.runner)
    print(f"{len(history) - wrong} of {len(history)} commits equal, {fresh.commits} of them with a fresh process")
    print(f"{peak >> 20} MiB at most in a child")
    return wrong


def _is_sampled(number: int, total: int, wanted: int) -> bool:
    """Spread over the whole history, the last commit among them."""
    return (number + 1) * wanted // total > number * wanted // total


def _start_unpatched(way: Way, mirror: Mirror, sha: str, work: Path) -> None:
    """Prime a parent whose interpreter removes our patches before Checkov is imported."""
    (work / "sitecustomize.py").write_text(UNPATCHED)
    usual = parent.environment

    def environment(home: Path, state: Path, log: Path) -> dict[str, str]:
        words = usual(home, state, log)
        return words | {"PYTHONPATH": f"{words['PYTHONPATH']}:{work}"}

    parent.environment = environment
    assert way.runner is not None
    way.runner.scan(mirror, sha, NO_CONFIG)
    parent.environment = usual


def _several(way: Way, mirror: Mirror, history: list[str], workers: int, work: Path) -> dict[str, Findings]:
    project = Project(name="benchmark", url="benchmark")
    (work / "history.db").unlink(missing_ok=True)
    past = open_history(f"sqlite:///{work / 'history.db'}")

    def runner() -> CheckovRunner:
        return CheckovRunner(work / "scans", {}, reuse=past.framework_scan)

    with (
        way.timed(len(history)),
        Backfill(past, mirror, project, history, runner=runner, workers=workers) as ended,
    ):
        assert len(list(ended)) == len(history)
    scans = {sha: past.scan("benchmark", sha) for sha in history}
    return {sha: _plain(scan.findings) for sha, scan in scans.items() if scan}


def _scan(way: Way, mirror: Mirror, sha: str) -> Findings:
    assert way.runner is not None
    with way.timed():
        scan: Scan = way.runner.scan(mirror, sha, NO_CONFIG)
    way.known.update({one.scan_key: one for one in scan.frameworks if one.status is not ScanStatus.FAILED})
    if scan.status is not ScanStatus.COMPLETE:
        gaps = {one.framework: one.reason for one in scan.frameworks if one.status is not ScanStatus.COMPLETE}
        print(f"{sha[:12]} {way.name}: {scan.status} {gaps}")
    return _plain(scan.findings)


def _fresh(way: Way, mirror: Mirror, sha: str, work: Path) -> Findings:
    kept = work / "fresh" / f"{sha}.json"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(_measure_fresh(mirror, sha, work)))
    stored = json.loads(kept.read_text())
    way.commits, way.cpu, way.wall = way.commits + 1, way.cpu + stored["cpu"], way.wall + stored["wall"]
    return frozenset(map(tuple, stored["findings"]))


def _measure_fresh(mirror: Mirror, sha: str, work: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=work) as tree:
        mirror.export((entry for entry in mirror.tree(sha) if entry.size is not None), Path(tree))
        argv = [str(Path(sys.executable).with_name("checkov")), "-d", tree, "-o", "json", "--compact"]
        argv += ["--skip-download", "--framework", *DEFAULT_FRAMEWORKS]
        environment = {"PATH": os.environ["PATH"], "HOME": str(work), "LANG": "C.UTF-8"}
        way = Way("")
        with way.timed():
            done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=work)
        reports = parse_report(done.stdout, tree, secret_key(work / "scans"))
    found = _plain(finding for report in reports for finding in report.findings)
    return {"cpu": way.cpu, "wall": way.wall, "findings": sorted(found, key=str)}


def _differ(sha: str, found: dict[str, Findings]) -> bool:
    first, *rest = found
    for name in rest:
        if found[name] != found[first]:
            print(f"{sha[:12]} DIFFERENT: only {name}: {sorted(found[name] - found[first], key=str)[:3]}")
            print(f"  only {first}: {sorted(found[first] - found[name], key=str)[:3]}", flush=True)
    return len(set(found.values())) > 1


def _plain(findings: Iterable[Finding]) -> Findings:
    return frozenset(
        (f.framework, f.check_id, f.file_path, f.resource, f.line_start, f.line_end, f.ordinal, f.status)
        for f in findings
    )


def _spent_by(pid: int | None) -> float:
    """CPU seconds of a running process and of its ended children."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--revision", default="HEAD")
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--fresh", type=int, default=60)
    parser.add_argument("--unpatched", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder without hidden parts in its path")
    return parser.parse_args()


if __name__ == "__main__":
    main()
