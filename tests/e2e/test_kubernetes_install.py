"""InfraAudit installed from configs/kubernetes/infraaudit in the real cluster, with its own image from a registry."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.e2e.cluster_installation import PROJECT, SECRET, Cluster, Installation, installed, new_cluster, pushed
from tests.e2e.clusters import kubectl
from tests.e2e.documented import documented
from tests.e2e.own_image import IMAGE, PASSWORD, add_commit, build_image, docker, head
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.usefixtures("sample")]
OF_ROLES = "app.kubernetes.io/component in (code, webserver, daemon, service, watch)"
OF_RUNS = "app.kubernetes.io/component=run_worker"
AT_ONCE = 2
AN_HOUR = 3600
"""Between two looks of the Git sensor: it finds the first commit, and every other run was started by the webhook."""
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with new_cluster() as found:
        yield found


@pytest.fixture(scope="module")
def image(cluster: Cluster) -> Iterator[str]:
    with pushed(build_image()) as reference:
        yield reference


@pytest.fixture(scope="module")
def next_image(image: str) -> Iterator[str]:
    """The next version, which differs by its label."""
    tag = IMAGE.replace(":local", ":next")
    dockerfile = f"FROM {IMAGE}\nLABEL org.opencontainers.image.version=next\n"
    subprocess.run(["docker", "build", "--quiet", "--tag", tag, "-"], input=dockerfile, text=True, check=True)
    with pushed(tag) as reference:
        yield reference
    docker("rmi", "--force", tag)


@pytest.fixture(scope="module")
def installation(cluster: Cluster, image: str) -> Iterator[Installation]:
    try:
        with installed(cluster, image, AT_ONCE, AN_HOUR) as found:
            yield found
    finally:
        print(cluster.logs())


def started(installation: Installation, sha: str) -> dict[str, Any]:
    """The run of a commit, once it is at work in its pod."""
    run: dict[str, Any] = until("the run's start", lambda: installation.run_of(sha, "STARTED"), 90)
    return run


def of_run(run: dict[str, Any]) -> str:
    return f"dagster/run-id={run['runId']}"


def test_a_commit_becomes_a_job_that_deploys_the_application(installation: Installation) -> None:
    cluster, sha = installation.cluster, head(installation.repository)
    run = until("the run's end", lambda: installation.run_of(sha, *ENDED), 180)
    assert run["status"] == "SUCCESS", installation.why(run["runId"])
    (job,) = cluster.get("jobs", of_run(run))
    succeeded = ("get", "job", job["metadata"]["name"], "-o", "jsonpath={.status.succeeded}")
    until("the success of the run's Job", lambda: cluster.kubectl(*succeeded) == "1" or None, 60)
    live = json.loads(kubectl("--namespace", cluster.shop, "get", "deployment", "infraauditai", "-o", "json"))
    assert live["metadata"]["annotations"]["infraaudit/commit"] == sha
    assert live["status"]["availableReplicas"] == live["spec"]["replicas"]
    deployed = "SELECT sha, outcome FROM deployments"
    assert installation.postgres.query("infraaudit", deployed) == f"{sha}|deployed"


def test_roles_and_runs_pull_the_image_by_its_digest(installation: Installation, image: str) -> None:
    assert installation.images(OF_ROLES) == {image}
    assert installation.images(OF_RUNS) == {image}
    events = installation.cluster.get("events")
    assert any(event["reason"] == "Pulling" and image in event["message"] for event in events)


def test_a_push_becomes_a_run_where_it_is_signed(installation: Installation) -> None:
    before, sha = head(installation.repository), add_commit(installation.repository)
    assert installation.announce(before, sha, "a guess") == 401
    assert installation.announce(before, sha, SECRET) == 202
    run = started(installation, sha)
    assert len(installation.cluster.get("jobs", of_run(run))) == 1
    received = f"SELECT state FROM deliveries WHERE after = '{sha}'"
    assert installation.postgres.query("infraaudit", received) == "done"


def test_a_run_goes_on_where_the_code_location_is_lost(installation: Installation) -> None:
    cluster, sha = installation.cluster, installation.push()
    run = started(installation, sha)
    cluster.kubectl("delete", "pods", "--selector", "app.kubernetes.io/component=code", "--force", "--grace-period=0")
    assert installation.run_of(sha, "STARTED")
    until("the run's end", lambda: installation.run_of(sha, *ENDED), 120)
    cluster.rolled_out()
    assert [(one["runId"], one["status"]) for one in installation.pipeline_runs(sha)] == [(run["runId"], "SUCCESS")]
    assert len(cluster.get("pods", of_run(run))) == 1


def lose_its_node(cluster: Cluster, pod: dict[str, Any]) -> None:
    docker("kill", pod["status"]["containerStatuses"][0]["containerID"].removeprefix("docker://"))
    cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0")


def evict_it(cluster: Cluster, pod: dict[str, Any]) -> None:
    cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")


@pytest.mark.parametrize(
    ("lose", "reason"), [(lose_its_node, "K8s job has no active pods"), (evict_it, "interrupted unexpectedly")]
)
def test_a_run_whose_pod_is_lost_fails_with_the_reason_and_is_started_once_more(
    installation: Installation, lose: Callable[[Cluster, dict[str, Any]], None], reason: str
) -> None:
    sha = installation.push()
    run = started(installation, sha)
    lose(installation.cluster, installation.cluster.get("pods", of_run(run))[0])
    failed = until("the end of a run without its pod", lambda: installation.run_of(sha, "FAILURE"), 90)
    assert failed["runId"] == run["runId"]
    reported = "\n".join(installation.messages(run["runId"]))
    assert reason in reported and "Failure fetching" not in reported, reported
    again = until("the end of its second run", lambda: installation.run_of(sha, "SUCCESS"), 150)
    assert again["tags"]["dagster/parent_run_id"] == run["runId"]


def test_a_cancelled_run_takes_its_job_with_it(installation: Installation) -> None:
    sha = installation.push()
    run = started(installation, sha)
    installation.ask("mutation($run: String!) { terminateRun(runId: $run) { __typename } }", run=run["runId"])
    until("the end of a cancelled run", lambda: installation.run_of(sha, "CANCELED"), 90)
    left = ("jobs,pods", of_run(run))
    until("the end of its Job", lambda: not installation.cluster.get(*left) or None, 60)


def test_an_upgrade_replaces_the_roles_and_lets_a_run_end_with_its_image(
    installation: Installation, image: str, next_image: str
) -> None:
    cluster, sha = installation.cluster, installation.push()
    run = started(installation, sha)
    kustomization = cluster.overlay / "kustomization.yaml"
    old, new = (reference.partition("@")[2] for reference in (image, next_image))
    assert kustomization.read_text().count(old) == 2
    kustomization.write_text(kustomization.read_text().replace(old, new))
    kubectl("apply", "-k", str(cluster.overlay))
    cluster.rolled_out()
    # The node's proxy learns a moment later than the API where the new webserver is.
    until("the new webserver's answer", installation.answers, 60)
    until("the run's end", lambda: installation.run_of(sha, *ENDED), 120)
    assert [(one["runId"], one["status"]) for one in installation.pipeline_runs(sha)] == [(run["runId"], "SUCCESS")]
    assert installation.images(of_run(run)) == {image}
    assert installation.images(OF_ROLES) == {next_image}
    assert installation.images(of_run(started(installation, installation.push()))) == {next_image}


@pytest.mark.parametrize("commits", [4, pytest.param(20, marks=pytest.mark.long)])
def test_many_commits_at_once_are_processed_with_the_configured_concurrency(
    installation: Installation, commits: int
) -> None:
    shas, at_work = installation.audit(commits)
    assert at_work == AT_ONCE
    scanned = installation.postgres.query("infraaudit", "SELECT DISTINCT sha FROM scans WHERE status = 'complete'")
    assert set(shas) <= set(scanned.split())


def as_documented(installation: Installation, first: str) -> list[str]:
    """The lines of a block of docs/operations.md, for the namespace and the PostgreSQL of this installation."""
    block, postgres = documented(first), installation.postgres
    block = block.replace("--namespace infraaudit ", f"--namespace {installation.cluster.namespace} ")
    return block.replace("--host postgres.example.org", f"--host {postgres.host} --port {postgres.port}").splitlines()


def run_lines(installation: Installation, lines: Sequence[str]) -> str:
    environment = os.environ | {"PGPASSWORD": PASSWORD}
    words = ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]
    done = subprocess.run(
        words, cwd=installation.cluster.overlay, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, f"{lines}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done.stdout


def test_what_is_documented_backs_it_up_prunes_it_and_restores_it_into_empty_databases(
    installation: Installation,
) -> None:
    cluster, postgres = installation.cluster, installation.postgres
    scans = "SELECT sha, status FROM scans ORDER BY sha"
    runs = "SELECT run_id, status FROM runs WHERE status IN ('SUCCESS', 'FAILURE', 'CANCELED') ORDER BY run_id"
    until("the end of every run", lambda: all(run["status"] in ENDED for run in installation.runs()) or None, 200)
    before = postgres.query("infraaudit", scans), postgres.query("dagster", runs)
    assert all(before)
    prune = (
        "kubectl --namespace infraaudit exec deployment/infraaudit-service -- infraaudit-entrypoint infraaudit prune"
    )
    assert f"{PROJECT}: 0 commits, " in run_lines(installation, as_documented(installation, prune))
    backup = (
        "kubectl --namespace infraaudit exec deployment/infraaudit-service -- infraaudit-entrypoint infraaudit backup"
    )
    run_lines(installation, as_documented(installation, backup))
    stop, wait, *restore = as_documented(installation, "kubectl --namespace infraaudit scale deployment --all")
    run_lines(installation, [stop, wait])
    for database in ("dagster", "infraaudit"):
        postgres.query("postgres", f"DROP DATABASE {database}")
        postgres.query("postgres", f"CREATE DATABASE {database}")
    run_lines(installation, restore)
    cluster.rolled_out()
    assert (postgres.query("infraaudit", scans), postgres.query("dagster", runs)) == before
    until("the webserver", installation.answers, 60)
    sha = installation.push()
    run = until("the run's end", lambda: installation.run_of(sha, *ENDED), 180)
    assert run["status"] == "SUCCESS", installation.why(run["runId"])
