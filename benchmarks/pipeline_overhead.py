"""One commit through the pipeline, against a shell script that does the same stages one after another, interleaved.

    KUBECONFIG=… python benchmarks/pipeline_overhead.py [--pairs 9] [--cold] [--base-image NAME]

Each turn gets a commit of its own that changes the program and a Terraform file, so that neither finds its image,
layers or scan cached. The script is what a CI job without us runs: docker build, pytest in the image, Checkov, kubectl
apply, kubectl rollout status. The pipeline does more (the past of findings, monitoring, logs, a dashboard). Which of
the two goes first alternates, both are byte-compiled, and the first pair, which fills caches and starts the warm
processes, is not counted; with --cold no process outlives a run. CPU is that of every process that either starts,
also of those that stay; the engine and the cluster are not in it. Needs an engine and a cluster that has the engine's
images; what it makes there is removed.
"""

import argparse
import compileall
import ctypes
import json
import os
import signal
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
    """Seconds of wall time, and of CPU in the program and all that it starts."""
    started, before = time.monotonic(), cpu_of_descendants()
    done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True)
    seconds = time.monotonic() - started
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # Processes that outlived the program have become our children.
    return seconds, cpu_of_descendants() - before


def cpu_of_descendants() -> float:
    """CPU seconds of all processes below this one, those that ended included."""
    ended = os.times().children_user + os.times().children_system
    return ended + sum(cpu for _, cpu in living(os.getpid()))


def living(pid: int) -> list[tuple[int, float]]:
    """Each process below one, with the CPU seconds of itself and of its children that ended."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            ticks = sum(int(field) for field in fields[11:15])
            found += [(int(child), ticks / os.sysconf("SC_CLK_TCK")), *living(int(child))]
    return found


def remove_images() -> None:
    """Remove what the two sides built."""
    for name in ("bench-script", "infraaudit/bench"):
        listed = subprocess.run(["docker", "images", "--quiet", name], capture_output=True, text=True).stdout.split()
        if listed:
            subprocess.run(["docker", "rmi", "--force", *set(listed)], check=False, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--base-image", default="infraaudit/base:bookworm")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for package in ("infraaudit_assets", "sensors", "service", "infraaudit", "resources", "infraaudit_domain"):
        compileall.compile_dir(ROOT / package, quiet=1)
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
                "INFRAAUDIT_TARGET": "kubernetes", "INFRAAUDIT_BUILD_ISOLATION": "none",
                "INFRAAUDIT_WARM_MINUTES": "0" if options.cold else "10",
            }  # fmt: skip
            theirs = {
                "REPOSITORY": str(repository), "BASE_IMAGE": options.base_image, "NAMESPACE": names["script"],
                "CHECKOV": str(programs / "checkov"),
            }  # fmt: skip
            measured: dict[str, list[tuple[float, float]]] = {"pipeline": [], "script": []}
            for number in range(options.pairs + 1):
                run = [str(programs / "infraaudit"), "run", "--project", "bench", "--commit"]
                shas = {side: write_commit(repository, 2 * number + (side == "script")) for side in measured}
                commands = {
                    "pipeline": ([*run, shas["pipeline"]], ours),
                    "script": (["bash", "-c", SCRIPT], theirs | {"COMMIT": shas["script"]}),
                }
                order = list(commands) if number % 2 else list(commands)[::-1]
                turn = {side: timed(*commands[side]) for side in order}
                if number:  # The first of each fills caches: layers of the base, tables of Checkov's parsers.
                    for side, figures in turn.items():
                        measured[side].append(figures)
                        print(f"{side:9} {figures[0]:6.2f} s wall, {figures[1]:6.2f} s CPU", flush=True)
    finally:
        for pid, _ in living(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        remove_images()
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
