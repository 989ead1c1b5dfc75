"""Deliveries while the API server is away, slow, busy or refuses: asked again where that helps, reported where it does not."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.errors import ClusterError, ClusterUnavailableError, RejectedByClusterError
from resources.targets.cluster import KubernetesTarget, applying, connect, connection, observe
from resources.targets.cluster.connection import translated
from tests.e2e.api_servers import FaultyApi, OwnApiServer, faulty
from tests.e2e.clusters import HEALTHY, SHAS, Namespace, manifests, namespace
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.e2e
__all__ = ["faulty", "namespace"]


def test_no_cluster_is_told_and_an_expired_login_is_not_taken_for_it(namespace: Namespace, tmp_path: Path) -> None:
    text = namespace.kubeconfig.read_text()
    expired = tmp_path / "expired"
    expired.write_text(text.replace('"token": "', '"token": "x'))
    with pytest.raises(RejectedByClusterError, match="login has expired"):
        connect(expired)
    gone = tmp_path / "gone"
    gone.write_text(text.replace("https://", "https://127.0.0.1:1/"))
    for path in (gone, tmp_path / "missing"):
        with pytest.raises(ClusterUnavailableError, match="No Kubernetes API answers"):
            connect(path)


def test_an_api_server_that_is_killed_and_started_again_stops_no_rollout(namespace: Namespace, tmp_path: Path) -> None:
    server = OwnApiServer(tmp_path)
    server.start()
    own = Namespace(namespace.name, server.kubeconfig(namespace.kubeconfig), namespace.folder)
    try:
        assert own.deliver(1, manifests(HEALTHY)).outcome is Outcome.DEPLOYED
        slow = manifests(HEALTHY)
        slow[0]["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"] = 8
        done: list[Outcome] = []
        thread = threading.Thread(target=lambda: done.append(own.deliver(2, slow, timeout=90).outcome))
        thread.start()
        eventually(lambda: namespace.get("deployment/web")["metadata"]["annotations"]["infraaudit/commit"] == SHAS[2])
        server.kill()
        eventually(lambda: any("does not answer" in line for line in own.progress))
        server.start()
        thread.join()
        assert done == [Outcome.DEPLOYED], own.progress
        assert namespace.running_versions() == {SHAS[2]}
    finally:
        server.kill()


def test_a_busy_or_failing_api_server_is_asked_again_and_a_long_outage_changes_nothing_silently(
    namespace: Namespace, faulty: FaultyApi, tmp_path: Path
) -> None:
    target = KubernetesTarget(connect(faulty.kubeconfig(tmp_path / "faulty")), namespace.name)
    turn = itertools.count()
    faulty.fault = lambda method, path: (0, 0, 0, 429, 503)[next(turn) % 5]
    assert namespace.deliver(1, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    assert faulty.faults > 5
    outage = time.monotonic() + 4

    def down_while_it_rolls(method: str, path: str) -> int:
        asked = method == "GET" and time.monotonic() < outage
        return 503 if asked and "/deployments/" in path else 410 if asked and "/pods" in path else 0

    faulty.fault = down_while_it_rolls
    assert namespace.deliver(2, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    asked: list[float] = []

    def roles_not_read_yet(method: str, path: str) -> int:
        if method != "GET" or "/deployments/" not in path:
            return 0
        asked.append(time.monotonic())
        return 403 if asked[-1] < asked[0] + 2 else 0

    faulty.fault = roles_not_read_yet
    assert namespace.deliver(3, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    assert asked[-1] > asked[0] + 2
    faulty.fault = lambda method, path: 500 if method == "PATCH" else 0
    with pytest.raises(ClusterError, match="answered 500: made up by the test"):
        namespace.deliver(4, manifests(HEALTHY), target=target)
    assert namespace.running_versions() == {SHAS[3]}


def test_a_conflict_that_is_over_is_tried_again_and_one_that_lasts_has_its_own_message(
    namespace: Namespace, faulty: FaultyApi, tmp_path: Path
) -> None:
    cluster = connect(faulty.kubeconfig(tmp_path / "faulty"))
    target = KubernetesTarget(cluster, namespace.name)
    turn = itertools.count()
    faulty.fault = lambda method, path: 409 if method == "PATCH" and next(turn) % 2 == 0 else 0
    assert namespace.deliver(1, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    assert faulty.faults == 4, "each of two objects once, in the dry run and in the apply"
    faulty.fault = lambda method, path: 409 if method == "PATCH" else 0
    with pytest.raises(ClusterError, match="checking Service/web: somebody else changed it at the same time"):
        namespace.deliver(2, manifests(HEALTHY), target=target)
    assert namespace.running_versions() == {SHAS[1]}
    # What the API server itself says of a write that met another.
    from kubernetes import client

    found = client.CoreV1Api(cluster.client).read_namespaced_service("web", namespace.name)
    found.metadata.resource_version = "1"
    with pytest.raises(ClusterError, match="at the same time.*the object has been modified"), translated("writing"):
        client.CoreV1Api(cluster.client).replace_namespaced_service("web", namespace.name, found)


def test_a_slow_api_server_is_waited_for_and_called_slow(
    namespace: Namespace, faulty: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = faulty.kubeconfig(tmp_path / "faulty")
    target = KubernetesTarget(connect(kubeconfig), namespace.name)
    for module in (observe, applying):
        monkeypatch.setattr(module, "REQUEST_SECONDS", 0.5)
    slow_ones = itertools.count()
    faulty.pause = lambda method, path: 1 if method == "PATCH" and next(slow_ones) < 3 else 0
    assert namespace.deliver(1, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    slow_reads = itertools.count()
    applied: list[str] = []

    def slow_once_it_is_applied(method: str, path: str) -> int:
        if method == "PATCH" and "dryRun" not in path:
            applied.append(path)
        return int(bool(applied) and method == "GET" and "/deployments/" in path and next(slow_reads) < 3)

    faulty.pause = slow_once_it_is_applied
    assert namespace.deliver(2, manifests(HEALTHY), target=target).outcome is Outcome.DEPLOYED
    assert any("reading Deployment/web: the API server is too slow" in line for line in namespace.progress)
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.5)
    faulty.pause = lambda method, path: 1
    with pytest.raises(ClusterError, match="the API server is too slow") as slow:
        connect(kubeconfig)
    assert not isinstance(slow.value, ClusterUnavailableError), "nothing is deployed elsewhere because of it"


def test_a_login_that_expires_in_the_middle_of_a_rollout_is_recorded_and_the_next_run_takes_it_up(
    namespace: Namespace,
) -> None:
    namespace.deliver(1, manifests(HEALTHY))
    slow = manifests(HEALTHY)
    slow[0]["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["initialDelaySeconds"] = 15
    target = namespace.target()

    def expire() -> None:
        eventually(lambda: namespace.get("deployment/web")["metadata"]["annotations"]["infraaudit/commit"] == SHAS[2])
        settings = target.cluster.client.configuration
        settings.refresh_api_key_hook = lambda settings: settings.api_key.update(BearerToken="Bearer expired")

    with ThreadPoolExecutor() as pool:
        pool.submit(expire)
        done = namespace.deliver(2, slow, target=target)
    assert (done.outcome, done.replaced_sha) == (Outcome.FAILED, SHAS[1]) and namespace.history.last_deployment(
        "shop", "production", SHAS[2]
    ) == done
    assert "refused it (401)" in done.reason and "The login has expired" in done.reason
    assert "run the commit again" in done.reason
    assert namespace.running_versions() == {SHAS[1]}, "what ran keeps running"
    generation = namespace.get("deployment/web")["metadata"]["generation"]
    assert namespace.deliver(2, slow).outcome is Outcome.DEPLOYED
    assert namespace.running_versions() == {SHAS[2]}
    assert namespace.get("deployment/web")["metadata"]["generation"] == generation, "taken up, not started over"
