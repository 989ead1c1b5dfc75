"""Hold commits spread over a real repository's history against a fresh ``checkov`` each, and show what was not read.

    python benchmarks/real_repositories.py GIT-DIRECTORY --keep FOLDER [--commits 20] [--revision HEAD]

Each sampled commit of the first-parent history is scanned by the runner, with everything reused that a deployment
reuses, and by Checkov itself on a fresh checkout, in a process that was forked after Checkov's imports and before any
scan; findings are compared by framework, check, file, resource, lines, ordinal and status. What kustomizations and
charts make has no equal there and is left out. Then the newest commit's coverage by framework, and the reasons of the
gaps at all sampled commits, with an example each. What Checkov found stays in the folder and is not measured again.
Exits with 1 where a finding differs or a gap has no reason.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

os.environ["CHECKOV_PARALLELIZATION_TYPE"] = "none"  # a third of the cost on two processors, and the same findings
import checkov.main as checkov
from scan_backfill import NO_CONFIG, Findings, _differ, _plain

from infraaudit_domain.scans.checkov_config import DEFAULT_FRAMEWORKS
from infraaudit_domain.scans.checkov_report import parse_report
from infraaudit_domain.scans.findings import FrameworkScan, Scan, ScanStatus
from infraaudit_domain.scans.renderings import rendered_by
from resources.checkov import CheckovRunner
from resources.checkov.secret_key import secret_key
from resources.git.mirror import Mirror

UNEXPLAINED = "without a word"


def main() -> None:
    options = _options()
    mirror = Mirror("benchmark", options.repository)
    history = mirror.first_parents(mirror.resolve(options.revision))
    work = options.keep.resolve()
    work.mkdir(parents=True, exist_ok=True)
    wrong, reasons, newest = 0, defaultdict[tuple[str, str], set[str]](set), None
    known: dict[str, FrameworkScan] = {}
    compared = 0
    with CheckovRunner(work / "scans", {}, known.get) as runner:
        for sha in spread(history, options.commits):
            newest = runner.scan(mirror, sha, NO_CONFIG)
            known.update({one.scan_key: one for one in newest.frameworks if one.status is not ScanStatus.FAILED})
            differs = _differ(
                sha,
                {
                    "ours": _plain(f for f in newest.findings if not rendered_by(f.resource)),
                    "fresh": _fresh(mirror, sha, work),
                },
            )
            compared += 1
            wrong += differs
            print(f"{sha[:12]} {newest.status} {len(newest.findings)} findings", "DIFFERENT" if differs else "equal",
                  flush=True)  # fmt: skip
            for framework, path, reason in gaps_of(newest):
                reasons[framework, _kind(reason, path)].add(f"{sha[:8]}:{path}: {reason}")
    print(f"{options.repository}: {compared - wrong} of {compared} commits equal to Checkov itself")
    if newest is not None:
        _print_coverage(newest)
    for (framework, kind), examples in sorted(reasons.items()):
        print(f"GAP {framework} | {kind} | {len(examples)} | {min(examples)}")
    sys.exit(1 if wrong or any(UNEXPLAINED in kind for _, kind in reasons) else 0)


def _fresh(mirror: Mirror, sha: str, work: Path) -> Findings:
    kept = work / "fresh" / f"{sha}.json"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=work) as tree:
            mirror.export((entry for entry in mirror.tree(sha) if entry.size is not None), Path(tree))
            reports = parse_report(_forked(tree, work), tree, secret_key(work / "scans"))
        found = _plain(finding for report in reports for finding in report.findings)
        kept.write_text(json.dumps({"findings": sorted(found, key=str)}))
    return frozenset(map(tuple, json.loads(kept.read_text())["findings"]))


def _forked(tree: str, work: Path) -> str:
    """What Checkov prints of a folder."""
    output = work / "output"
    child = os.fork()
    if not child:
        try:
            os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
            os.chdir(work)
            checkov.Checkov(
                ["-d", tree, "-o", "json", "--compact", "--skip-download", "--framework", *DEFAULT_FRAMEWORKS]
            ).run()
            sys.stdout.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return output.read_text()


def spread(history: list[str], wanted: int) -> list[str]:
    """So many commits, the same distance apart, the last among them."""
    total = len(history)
    return [sha for n, sha in enumerate(history) if (n + 1) * wanted // total > n * wanted // total]


def gaps_of(scan: Scan) -> list[tuple[str, str, str]]:
    found = [(one.framework, gap.path, gap.reason) for one in scan.frameworks for gap in one.unreadable]
    return found + [(one.framework, "", one.reason) for one in scan.frameworks if one.status is ScanStatus.FAILED]


def _kind(reason: str, path: str) -> str:
    """A reason without what differs from file to file."""
    return reason.replace(path, "PATH").split(", line")[0][:90]


def _print_coverage(scan: Scan) -> None:
    for one in scan.frameworks:
        expected = one.evidence.expected if one.evidence else 0
        if expected or one.unreadable or one.findings:
            print(f"COVERAGE {one.framework}: expected {expected} unread {len(one.unreadable)}"
                  f" findings {len(one.findings)} {one.status}")  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--revision", default="HEAD")
    parser.add_argument("--commits", type=int, default=20)
    parser.add_argument("--keep", type=Path, required=True, help="a folder without hidden parts in its path")
    return parser.parse_args()


if __name__ == "__main__":
    main()
