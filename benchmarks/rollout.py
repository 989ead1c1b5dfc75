"""Apply to healthy: our target against `kubectl apply && kubectl rollout status` on the same manifests, interleaved.

    KUBECONFIG=… python benchmarks/rollout.py [--pairs 5] [--image NAME]

Each release changes the pod template, so that every one is a real rollout of two replicas. Needs a namespace of its
own, which it makes and removes, and an image with python3 that the node has.
"""

import argparse
import os
import statistics
import subprocess
import time
import uuid

import yaml

from infraaudit_domain.delivery.deployments import Release
from infraaudit_domain.kubernetes.manifests import render_manifests
from resources.targets.cluster import KubernetesTarget, connect

SERVER = "import http.server; http.server.ThreadingHTTPServer(('', 8080), http.server.SimpleHTTPRequestHandler).serve_forever()"


def commit(number: int) -> str:
    return f"c{number:039x}"  # kubectl would take digits alone for a number.


def manifests(namespace: str, image: str, number: int) -> str:
    container = {
        "name": "web", "image": image, "command": ["python3", "-c", f"# {number}\n{SERVER}"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }  # fmt: skip
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    rendered = render_manifests(
        [("web.yaml", document)],
        project="bench",
        sha=commit(number),
        environment="bench",
        namespace=namespace,
        image=image,
    )
    return yaml.safe_dump_all(rendered)


def kubectl(*words: str, stdin: str | None = None) -> None:
    done = subprocess.run(["kubectl", *words], input=stdin, text=True, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"kubectl {' '.join(words)}: {done.stderr}")


def ours(target: KubernetesTarget, image: str, number: int) -> tuple[float, float]:
    release = Release("bench", "bench", commit(number), image, manifests(target.namespace, image, number))
    started, cpu = time.monotonic(), time.process_time()
    rollout = target.deploy(release, timeout=120, on_progress=lambda _: None)
    assert rollout.healthy, rollout.reason
    return time.monotonic() - started, time.process_time() - cpu


def theirs(namespace: str, image: str, number: int) -> tuple[float, float]:
    text = manifests(namespace, image, number)
    started, before = time.monotonic(), os.times()
    kubectl("apply", "--server-side", "--field-manager=infraaudit", "-f", "-", stdin=text)
    kubectl("--namespace", namespace, "rollout", "status", "deployment/web", "--timeout=120s")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--image", default="infraaudit/base:bookworm")
    options = parser.parse_args()
    namespace = f"infraaudit-bench-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    try:
        target = KubernetesTarget(connect(), namespace)
        ours(target, options.image, 0)
        times: dict[str, list[tuple[float, float]]] = {"ours": [], "kubectl": []}
        for pair in range(options.pairs):
            # A pod takes 2 or 4 seconds to start, often in turn: the order alternates, so that the slow ones are
            # shared.
            for turn in (0, 1):
                if turn == pair % 2:
                    times["ours"].append(ours(target, options.image, 2 * pair + turn + 1))
                else:
                    times["kubectl"].append(theirs(namespace, options.image, 2 * pair + turn + 1))
        for name, found in times.items():
            seconds, cpu = [s for s, _ in found], [c for _, c in found]
            print(f"{name:8} median {statistics.median(seconds):5.2f} s (min {min(seconds):.2f}, max {max(seconds):.2f}), "
                  f"CPU median {statistics.median(cpu):.2f} s, n={len(found)}")  # fmt: skip
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


if __name__ == "__main__":
    main()
