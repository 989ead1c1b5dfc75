"""One commit through the pipeline, against a shell script that does the same stages one after another, interleaved.

    KUBECONFIG=… python benchmarks/pipeline_overhead.py [--pairs 5] [--base-image NAME]

Each turn gets a commit of its own that changes the program and a Terraform file, so that neither finds its image,
layers or scan cached. The script is what a CI job without us runs: docker build, pytest in the image, Checkov, kubectl
apply, kubectl rollout status. The pipeline does more (the past of findings, monitoring, logs, a dashboard). Both are
separate programs, started anew each time. Needs an engine and a cluster that has the engine's images.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
git clone --quiet "$REPOSITORY" "$work/src"; cd "$work/src"; git checkout --quiet "$COMMIT"
docker build --quiet --build-arg BASE_IMAGE="$BASE_IMAGE" --tag "bench-script:$COMMIT" --file docker/Dockerfile . >/dev/null
docker run --rm --network none --workdir /app "bench-script:$COMMIT" python3 -m pytest -q -p no:cacheprovider src/tests >/dev/null
"$CHECKOV" --directory . --config-file scanner/checkov_config.yaml --output json --compact --skip-download --soft-fail > "$work/scan.json"
sed -i "s|image: .*|image: bench-script:$COMMIT|" configs/kubernetes/deployment.yaml
kubectl --namespace "$NAMESPACE" apply --filename configs/kubernetes/deployment.yaml --filename configs/kubernetes/service.yaml >/dev/null
kubectl --namespace "$NAMESPACE" rollout status deployment/infraauditai --timeout=60s >/dev/null
"""


def write_commit(repository: Path, number: int) -> str:
    """A commit that changes the program and what Checkov reads; returns its SHA."""
    (repository / "src/infraauditai/build.py").write_text(f"NUMBER = {number}\n")
    bucket = f'resource "aws_sqs_queue" "bench_{number}" {{\n  name = "bench-{number}"\n}}\n'
    (repository / "terraform/bench.tf").write_text(bucket)
    git = ["git", "-C", str(repository), "-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", f"Commit {number}"], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def timed(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of wall time, and of CPU in the program and all that it starts (the engine and the cluster are not)."""
    started, before = time.monotonic(), os.times()
    done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True)
    seconds = time.monotonic() - started
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    with suppress(ChildProcessError):
        while True:  # Processes that outlived the program have become our children.
            os.wait()
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--base-image", default="infraaudit/base:bookworm")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    programs = Path(sys.executable).parent
    names = {side: f"infraaudit-bench-{side}-{uuid.uuid4().hex[:8]}" for side in ("pipeline", "script")}
    for name in names.values():
        subprocess.run(["kubectl", "create", "namespace", name], check=True, capture_output=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            home, repository = Path(folder) / "home", Path(folder) / "repository"
            subprocess.run([sys.executable, ROOT / "examples/make_history.py", repository], check=True)
            entry = {"name": "bench", "url": str(repository), "environments": [{"namespace": names["pipeline"]}]}
            (Path(folder) / "projects.yaml").write_text(json.dumps({"projects": [entry]}))
            ours = {
                "INFRAAUDIT_HOME": str(home), "INFRAAUDIT_REPORTS": str(home / "reports"),
                "INFRAAUDIT_PROJECTS": f"{folder}/projects.yaml", "INFRAAUDIT_BASE_IMAGE": options.base_image,
                "INFRAAUDIT_TARGET": "kubernetes",
            }  # fmt: skip
            theirs = {
                "REPOSITORY": str(repository), "BASE_IMAGE": options.base_image, "NAMESPACE": names["script"],
                "CHECKOV": str(programs / "checkov"),
            }  # fmt: skip
            measured: dict[str, list[tuple[float, float]]] = {"pipeline": [], "script": []}
            for number in range(options.pairs + 1):
                run = [str(programs / "infraaudit"), "run", "--project", "bench", "--commit"]
                turn = {
                    "pipeline": timed([*run, write_commit(repository, 2 * number)], ours),
                    "script": timed(
                        ["bash", "-c", SCRIPT], theirs | {"COMMIT": write_commit(repository, 2 * number + 1)}
                    ),
                }
                if number:  # The first of each fills caches: layers of the base, tables of Checkov's parsers.
                    for side, figures in turn.items():
                        measured[side].append(figures)
                        print(f"{side:9} {figures[0]:6.2f} s wall, {figures[1]:6.2f} s CPU", flush=True)
    finally:
        for name in names.values():
            subprocess.run(["kubectl", "delete", "namespace", name, "--wait=false"], check=False, capture_output=True)
    for index, what in enumerate(("wall", "CPU")):
        sides = {side: [figures[index] for figures in found] for side, found in measured.items()}
        ratios = [ours / theirs for ours, theirs in zip(sides["pipeline"], sides["script"], strict=True)]
        medians = ", ".join(f"{side} {statistics.median(found):.2f} s" for side, found in sides.items())
        print(f"{what:4} medians: {medians}; ratio pair by pair: median {statistics.median(ratios):.2f} "
              f"(min {min(ratios):.2f}, max {max(ratios):.2f}), n={len(ratios)}")  # fmt: skip


if __name__ == "__main__":
    main()
