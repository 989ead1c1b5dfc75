"""How fast runs in a cluster process commits, by concurrent runs, and how much memory each role needs meanwhile.

    python benchmarks/kubernetes_workers.py [--at-once 1 2 4] [--commits 20]

InfraAudit is installed as in tests/e2e/test_kubernetes_install.py. Some commits go through the whole pipeline one by
one; then, for each number of concurrent runs, the roles are restarted, left at rest, and given all commits at once for
the audit half. Memory is what the engine counts for a container, without reclaimable page cache, sampled twice a
second. CPU is that of the whole machine, so nothing else should run on it.
"""

import argparse
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.cluster_installation import ROLES, Cluster, Installation, installed, new_cluster, pushed
from tests.e2e.clusters import kubectl
from tests.e2e.own_image import build_image, head
from tests.e2e.waiting import until

REST_SECONDS = 30
PIPELINE_COMMITS = 5
RUN = "dagster"
"""What the container of a run is called."""
_MEBIBYTES = {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--at-once", type=int, nargs="+", default=[1, 2, 4], help="runs at a time, one measurement each"
    )
    parser.add_argument("--commits", type=int, default=20)
    given = parser.parse_args()
    with (
        new_cluster() as cluster,
        pushed(build_image()) as image,
        installed(cluster, image, at_once=1, poll_seconds=3600) as installation,
    ):
        measure(installation, given.at_once, given.commits)


def measure(installation: Installation, at_once: Sequence[int], commits: int) -> None:
    speed, memory = {}, {}
    ended(installation, head(installation.repository))
    with watched(installation.cluster) as highest, timed() as spent:
        for _ in range(PIPELINE_COMMITS):
            ended(installation, installation.push())
    speed["whole pipeline, one by one"] = (PIPELINE_COMMITS, *spent)
    memory["whole pipeline"] = highest
    size = database_size(installation)
    for number in at_once:
        run_at_once(installation.cluster, number)
        time.sleep(REST_SECONDS)
        with watched(installation.cluster) as highest:
            time.sleep(REST_SECONDS)
        memory[f"at rest ({number})"] = highest
        with watched(installation.cluster) as highest, timed() as spent:
            installation.audit(commits)
        speed[f"audit half, {number} at a time"] = (commits, *spent)
        memory[f"{number} at a time"] = highest
    grown = (database_size(installation) - size) / (commits * len(at_once))
    show(speed, memory)
    print(f"\nDagster's tables grew by {grown / 1e6:.2f} MB a run of the audit half.")


def run_at_once(cluster: Cluster, number: int) -> None:
    """Change the ConfigMap and restart every role, as docs/operations.md says."""
    file = cluster.overlay / "dagster.yaml"
    instance = json.loads(file.read_text())
    instance["concurrency"]["runs"]["max_concurrent_runs"] = number
    file.write_text(json.dumps(instance))
    kubectl("apply", "-k", str(cluster.overlay))
    cluster.kubectl("rollout", "restart", "deployment")
    cluster.rolled_out()


def ended(installation: Installation, sha: str) -> None:
    until("the end of a run", lambda: installation.run_of(sha, "SUCCESS"), 180)


def database_size(installation: Installation) -> int:
    return int(installation.postgres.query("dagster", "SELECT pg_database_size('dagster')"))


@contextmanager
def timed() -> Iterator[list[float]]:
    """Wall and CPU seconds of the block; set when it ends."""
    spent: list[float] = []
    began, busy = time.monotonic(), busy_seconds()
    yield spent
    spent += [time.monotonic() - began, busy_seconds() - busy]


def busy_seconds() -> float:
    """CPU seconds that this machine was busy since it started."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / 100


@contextmanager
def watched(cluster: Cluster) -> Iterator[dict[str, float]]:
    """The highest memory of a container of each name during the block, in MiB."""
    highest: dict[str, float] = {}
    words = ["docker", "stats", "--no-trunc", "--format", "{{.Name}} {{.MemUsage}}"]
    stats = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def read() -> None:
        for line in stats.stdout or ():
            if found := re.search(rf"k8s_(\w+)_[^_]+_{cluster.namespace}_\S+ ([\d.]+)([KMG]iB)", line):
                highest[found[1]] = max(highest.get(found[1], 0.0), float(found[2]) * _MEBIBYTES[found[3]])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield highest
    finally:
        stats.terminate()
        reader.join()


def show(speed: dict[str, tuple[float, ...]], memory: dict[str, dict[str, float]]) -> None:
    print("\n| work | commits | time | a commit | CPU a commit |\n|---|---|---|---|---|")
    for work, (commits, wall, busy) in speed.items():
        print(f"| {work} | {commits:.0f} | {wall:.0f} s | {wall / commits:.1f} s | {busy / commits:.1f} s |")
    print("\n| MiB at most | " + " | ".join(memory) + " |\n|---|" + "---|" * len(memory))
    for name in (*ROLES, RUN):
        cells = (f"{highest[name]:.0f}" if name in highest else "–" for highest in memory.values())
        print(f"| {'a run' if name == RUN else name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
