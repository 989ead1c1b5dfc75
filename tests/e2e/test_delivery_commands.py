"""rollback, promote, status and logs on the real cluster and a real repository, through the command line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from infraaudit.deploying.deploy import deploy, in_order
from infraaudit_assets.commands import delivery, deploying, logs, status
from infraaudit_assets.commands.projects import mirror_of
from infraaudit_assets.settings import settings
from infraaudit_domain.delivery.deployments import Outcome, Release
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.test_runs import CaseOutcome, TestCase, TestRun
from infraaudit_domain.kubernetes.manifest_policy import ManifestPolicy
from infraaudit_domain.projects import Environment, Paths, Project
from infraaudit_domain.scans.findings import Finding, FrameworkScan, Scan, ScanStatus, Severity
from resources.history import History, open_history
from resources.manifests.files import render_release
from tests.conftest import Repository
from tests.e2e.clusters import CRASHING, HEALTHY, IMAGE, Namespace, kubectl, manifests, namespace

pytestmark = pytest.mark.e2e
__all__ = ["namespace"]
app = typer.Typer()
app.command("rollback")(delivery.rollback)
app.command("promote")(deploying.promote)
app.command("status")(status.status)
app.command("logs")(logs.logs)


@dataclass
class Shop:
    """A project of two environments in one namespace each, as its own installation."""

    namespace: Namespace
    repository: Repository
    history: History
    project: Project

    def commit(self, program: str) -> str:
        text = yaml.safe_dump_all(json.loads(json.dumps(manifests(program))))
        return self.repository.write({"k8s.yaml": text, "program": program}, "a commit")

    def deploy(self, sha: str) -> Outcome:
        """What the asset does with a commit, its gate aside."""
        environment, mirror = self.project.environment, self.repository.mirror()
        with mirror.checkout(sha, self.namespace.folder / "checkouts") as folder:
            text = render_release(folder, self.project, environment, sha, IMAGE, ManifestPolicy())
        release = Release("shop", environment.name, sha, IMAGE, text)
        return deploy(
            self.history, mirror, self.namespace.target(), release, timeout=180,
            superseded=in_order(self.history, mirror, release), on_progress=lambda _: None,
        ).outcome  # fmt: skip

    def record_facts(self, sha: str, severity: Severity, check: str = "CKV_1") -> None:
        """An image, green tests and one finding of a commit."""
        self.history.record_image("shop", sha, Image(IMAGE, "sha256:1", 1, 0.1, sha))
        self.history.record_test_run("shop", sha, TestRun((TestCase("t", CaseOutcome.PASSED, 0.1),), 0.1))
        finding = Finding("dockerfile", check, "a check", "a", "b", 1, 1, severity=severity)
        part = FrameworkScan("dockerfile", f"{sha}{severity}{check}", ScanStatus.COMPLETE, (finding,))
        self.history.record_scan("shop", Scan(sha, (part,), "3", "x", datetime.now(UTC), 0.1))

    def run(self, *words: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code == code, (done.output, done.exception)
        return json.loads(done.stdout)


@pytest.fixture
def shop(namespace: Namespace, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    production = f"{namespace.name}-production"
    kubectl("create", "namespace", production)
    home = namespace.folder / "home"
    home.mkdir()
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "infraaudit"}}
    role["subjects"] = [{"kind": "ServiceAccount", "name": "infraaudit", "namespace": namespace.name}]
    role["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "infraaudit"}
    kubectl("--namespace", production, "apply", "-f", str(Path("configs/kubernetes/role.yaml").resolve()))
    kubectl("--namespace", production, "apply", "-f", "-", stdin=json.dumps(role))
    environments = [{"name": "staging", "namespace": namespace.name}, {"name": "production", "namespace": production}]
    entry = {"name": "shop", "url": str(repository.path), "paths": {"manifests": ["k8s.yaml"]}}
    (home / "projects.yaml").write_text(json.dumps({"projects": [entry | {"environments": environments}]}))
    for name, value in {
        "HOME": home, "PROJECTS": home / "projects.yaml", "KUBECONFIG": namespace.kubeconfig, "TARGET": "kubernetes",
        "ROLLOUT_SECONDS": "180",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"INFRAAUDIT_{name}", str(value))
    settings.cache_clear()
    project = Project("shop", str(repository.path), paths=Paths(manifests=("k8s.yaml",)),
                      environments=tuple(Environment(**one) for one in environments))  # fmt: skip
    yield Shop(namespace, repository, open_history(settings().history_url), project)
    settings.cache_clear()
    kubectl(
        "--namespace", production, "delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false", check=False
    )
    kubectl("delete", "namespace", production, "--wait=false", check=False)


def test_rollback_promote_status_and_logs(shop: Shop) -> None:
    oldest, first, second = shop.commit(HEALTHY + "# 0"), shop.commit(HEALTHY), shop.commit(HEALTHY + "# 2")
    bad = shop.commit(CRASHING)
    assert [shop.deploy(sha) for sha in (first, second)] == [Outcome.DEPLOYED] * 2
    mirror_of(shop.project).fetch()

    ungated = CliRunner().invoke(app, ["promote", "--project", "shop", "--to", "production"])
    assert "is not let through to production: it has not been scanned" in str(ungated.exception)
    for sha in (oldest, first, second):
        shop.record_facts(sha, Severity.LOW)
    assert shop.run("promote", "--project", "shop", "--to", "production")["sha"] == second
    again = shop.run("promote", "--project", "shop", "--to", "production")
    assert (again["outcome"], again["sha"]) == ("unchanged", second)
    advice = shop.run("rollback", "--project", "shop", "--advise")
    assert (advice["live"], advice["advice"], advice["fix_forward"]) == (second, first, False)
    assert [(one["sha"], one["returning"], one["outcomes"]) for one in advice["candidates"]] == [
        (first, [], ["deployed"]),
        (oldest, [], []),
    ]
    shop.record_facts(first, Severity.LOW, "CKV_2")
    advice = shop.run("rollback", "--project", "shop", "--advise")
    assert advice["advice"] == oldest
    assert [one["check_id"] for one in advice["candidates"][0]["returning"]] == ["CKV_2"]
    assert [one["check_id"] for one in advice["candidates"][0]["leaving"]] == ["CKV_1"]
    shop.record_facts(oldest, Severity.LOW, "CKV_3")
    advice = shop.run("rollback", "--project", "shop", "--advise", code=1)
    assert (advice["advice"], advice["fix_forward"]) == (None, True)
    reported = CliRunner().invoke(app, ["rollback", "--project", "shop", "--advise"])
    # The rating is that of the installation's table, which does not know this check.
    (rated,) = {one["severity"] for one in advice["candidates"][0]["returning"]}
    assert reported.exit_code == 1 and "Fix forward" in reported.stdout
    assert rated == "unknown" and rated in reported.stdout
    assert shop.deploy(bad) is Outcome.ROLLED_BACK
    refused = CliRunner().invoke(app, ["promote", "--project", "shop", "--to", "production", "--commit", bad])
    assert "was never healthy in staging" in str(refused.exception)

    back = shop.run("rollback", "--project", "shop")
    assert (back["sha"], back["outcome"], back["replaced_sha"]) == (first, "deployed", second)
    rows = {row["environment"]: row for row in shop.run("status", "--project", "shop")}
    assert {name: (row["sha"], row["state"], row["drift"]) for name, row in rows.items()} == {
        "staging": (first, "healthy", []),
        "production": (second, "healthy", []),
    }
    superseded = shop.run("promote", "--project", "shop", "--to", "production", "--commit", first, code=1)
    assert superseded["outcome"] == "superseded"

    done = CliRunner().invoke(app, ["logs", "--project", "shop", "--grep", "serv", "--commit", first[:8], "--json"])
    assert done.exit_code == 0 and {json.loads(line)["text"] for line in done.stdout.splitlines()} == {
        "serving VERSION"
    }
    never = shop.commit(HEALTHY + "# never deployed")
    mirror_of(shop.project).fetch()
    refused = CliRunner().invoke(app, ["rollback", "--project", "shop", "--to", never])
    assert "cannot be deployed now: it has no image" in str(refused.exception)
    shop.record_facts(never, Severity.LOW)
    assert shop.run("rollback", "--project", "shop", "--to", never)["outcome"] == "deployed"
    assert CliRunner().invoke(app, ["logs", "--project", "shop", "--grep", "nothing like it"]).stdout == ""

    kubectl("--namespace", shop.namespace.name, "patch", "deployment/web", "--patch", '{"spec": {"replicas": 2}}')
    (drifted, _) = shop.run("status", "--project", "shop", code=1)
    assert drifted["drift"] == ["Deployment/web: spec.replicas is 2, deployed was 1 (by kubectl-patch)"]
