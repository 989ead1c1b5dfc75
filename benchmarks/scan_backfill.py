"""Compare the runner with one Checkov process per commit: the same history, the same machine, interleaved.

    python benchmarks/scan_backfill.py PATH-OF-A-GIT-DIRECTORY [--commits 60] [--fresh 20] [--every 1]

Prints CPU and wall seconds per commit for a fresh ``checkov -d``, for the warm fork alone and with reuse, and whether
every finding is equal. The fresh process gets the same frameworks, no network and Checkov's own defaults otherwise.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infraaudit_assets.domain.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_assets.domain.checkov_report import parse_report
from infraaudit_assets.domain.findings import Finding, FrameworkScan, Scan, ScanStatus
from resources.checkov_runner import CheckovRunner
from resources.checkov_runner.secret_key import secret_key
from resources.git import Mirror

NO_CONFIG = "no-such-file"


@dataclass
class Spent:
    name: str
    scans: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    reused: int = 0

    def line(self, base: "Spent | None" = None) -> str:
        cpu, wall = self.cpu / max(1, self.scans), self.wall / max(1, self.scans)
        text = f"{self.name:16} {self.scans:5} commits  CPU {cpu:7.3f} s  wall {wall:7.3f} s a commit"
        if base is None or not base.scans or not self.scans:
            return text
        return f"{text}  {base.cpu / base.scans / cpu:6.1f} x CPU {base.wall / base.scans / wall:6.1f} x wall"


def main() -> None:
    options = _options()
    mirror = Mirror("benchmark", options.repository)
    history = mirror.first_parents(mirror.resolve(options.revision))[:: options.every][-options.commits :]
    sample = history[:: max(1, len(history) // max(1, options.fresh))][: options.fresh]
    work = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        sys.exit(_compare(mirror, history, sample, work))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compare(mirror: Mirror, history: list[str], sample: list[str], work: Path) -> int:
    known: dict[str, FrameworkScan] = {}
    fresh, warm, reusing = Spent("a fresh process"), Spent("the warm fork"), Spent("with reuse")
    unequal = 0
    with CheckovRunner(work / "scans", {}) as plain, CheckovRunner(work / "scans", {}, known.get) as keen:
        _ = plain.scan(mirror, history[0], NO_CONFIG), keen.scan(mirror, history[0], NO_CONFIG)
        for sha in history:
            scan = _timed(reusing, keen, mirror, sha)
            known.update({one.scan_key: one for one in scan.frameworks if one.status is not ScanStatus.FAILED})
            reusing.reused += sum(one.reused for one in scan.frameworks)
            if sha in sample:
                again = _timed(warm, plain, mirror, sha)
                truth = _fresh(fresh, mirror, sha, work)
                unequal += _differ(sha, scan, again, truth)
        memory = max(plain.parent.peak_memory, keen.parent.peak_memory)
    print(fresh.line(), warm.line(fresh), reusing.line(fresh), sep="\n")
    shared = reusing.reused / (reusing.scans * len(DEFAULT_FRAMEWORKS))
    print(f"{len(sample) - unequal} of {len(sample)} commits equal; {shared:.0%} of results reused")
    print(f"{memory >> 20} MiB at most in a child")
    return 1 if unequal else 0


def _differ(sha: str, scan: Scan, again: Scan, truth: set[tuple[object, ...]]) -> bool:
    ours, plain = _plain(scan.findings), _plain(again.findings)
    same = truth == ours == plain
    gaps = [f"{one.framework}: {one.reason}" for one in scan.frameworks if one.status is not ScanStatus.COMPLETE]
    print(f"{sha[:12]} {len(truth):5} findings {'equal' if same else 'DIFFERENT'} {scan.status} {gaps}", flush=True)
    if not same:
        print(f"  only fresh: {sorted(truth - plain, key=str)[:3]}\n  only ours: {sorted(plain - truth, key=str)[:3]}")
        print(f"  changed by reuse: {sorted(plain ^ ours, key=str)[:3]}")
    return not same


def _timed(spent: Spent, runner: CheckovRunner, mirror: Mirror, sha: str) -> Scan:
    wall, cpu = time.monotonic(), time.process_time() + runner.parent.cpu + _children_cpu()
    scan = runner.scan(mirror, sha, NO_CONFIG)
    spent.wall += time.monotonic() - wall
    spent.cpu += time.process_time() + runner.parent.cpu + _children_cpu() - cpu
    spent.scans += 1
    return scan


def _fresh(spent: Spent, mirror: Mirror, sha: str, work: Path) -> set[tuple[object, ...]]:
    with mirror.checkout(sha, work / "fresh") as tree:
        argv = [str(Path(sys.executable).with_name("checkov")), "-d", str(tree), "-o", "json", "--compact"]
        argv += ["--skip-download", "--framework", *DEFAULT_FRAMEWORKS]
        environment = {"PATH": os.environ["PATH"], "HOME": str(work), "LANG": "C.UTF-8"}
        wall, cpu = time.monotonic(), _children_cpu()
        done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=work)
        spent.wall += time.monotonic() - wall
        spent.cpu += _children_cpu() - cpu
        spent.scans += 1
        reports = parse_report(done.stdout, str(tree), secret_key(work / "scans"))
    return _plain(finding for report in reports for finding in report.findings)


def _plain(findings: Iterable[Finding]) -> set[tuple[object, ...]]:
    return {
        (f.framework, f.check_id, f.file_path, f.resource, f.line_start, f.line_end, f.ordinal, f.status)
        for f in findings
    }


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--revision", default="HEAD")
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--fresh", type=int, default=20)
    parser.add_argument("--every", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
