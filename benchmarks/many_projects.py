"""What loading costs with many projects: CPU and memory of a process that loads all, and of a run's that is for one.

    python benchmarks/many_projects.py [--projects 1 10 100 300]

Each number is of a process of its own: the import of the definitions, the repository with its asset graph, one job of one
project (what a run needs), and every job with the snapshot that a code location sends (what it loads once).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CODE = """
import json, resource, sys, time
def cpu(): return time.process_time()
at = [cpu()]
from infraaudit_assets.definitions import defs
at.append(cpu())
repository = defs.get_repository_def()
at.append(cpu())
repository.get_job("p0_pipeline")
at.append(cpu())
if sys.argv[1] == "all":
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster._serdes import serialize_value
    sent = len(serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True)))
    at.append(cpu())
else:
    sent = 0
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps([round(b - a, 1) for a, b in zip(at, at[1:])] + [peak, sent]))
"""


def measure(home: Path, projects: int, of: str) -> list[float]:
    file = home / "projects.yaml"
    file.write_text(json.dumps({"projects": [{"name": f"p{n}", "url": f"/nowhere/{n}"} for n in range(projects)]}))
    environment = {**os.environ, "INFRAAUDIT_PROJECTS": str(file), "INFRAAUDIT_HOME": str(home / "state")}
    if of == "run":
        environment["DAGSTER_RUN_JOB_NAME"] = "p0_pipeline"
    done = subprocess.run([sys.executable, "-c", CODE, of], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return list(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, nargs="*", default=[1, 10, 100, 300])
    options = parser.parse_args()
    print("| projects | process of | import | repository | a job | every job, snapshot | MiB | bytes sent |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for projects in options.projects:
            for of in ("run", "all"):
                print(
                    f"| {projects} | {of} |", " | ".join(map(str, measure(Path(folder), projects, of))), "|", flush=True
                )


if __name__ == "__main__":
    main()
