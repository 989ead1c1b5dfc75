"""A project of two images on the real engine: a commit that touches one builds one, and its manifests get both."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from infraaudit.deploying.release import build_release, further_references
from infraaudit_assets.assets import build_project_assets
from infraaudit_assets.connections import build_resources
from infraaudit_assets.settings import Settings
from infraaudit_domain.delivery.builds import BuildRules, Isolation
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.errors import ManifestError
from infraaudit_domain.projects import Paths, Project
from resources.dagster.partitions import commits_of
from resources.dagster.resources import GitResource
from resources.engine import Engine
from resources.history import History, open_history
from resources.history.queries.further_images import further_images
from tests.conftest import Repository
from tests.resources.engines import BASE, PROJECT, engine

__all__ = ["engine"]
STAGES = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS run\nCOPY a.txt /\nFROM run AS broken\nRUN exit 3\n"
WORKLOAD = """apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: web
          image: acme/web:1
          securityContext: &strict {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        - name: jobs
          image: acme/worker:1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
""".replace("&strict ", "")
GATE_FILE = Path(__file__).parents[3] / "configs" / "gate.yaml"


class Shop:
    """A repository of two services, and the assets that build them."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository, self.settings = repository, Settings(home=folder)
        self.project = Project(
            PROJECT,
            str(repository.path),
            paths=Paths(manifests=("k8s.yaml",)),
            images=(
                ImageSource("web", "web/Dockerfile", "web"),
                ImageSource("worker", "worker/Dockerfile", "worker", "run", used_in=("jobs",)),
            ),
            build_args={"BASE_IMAGE": BASE},
            build=BuildRules(Isolation.NONE),
        )
        self.history: History = open_history(self.settings.history_url)
        self.history.migrate()

    def build(self, sha: str) -> tuple[bool, dict[str, str]]:
        """Whether all was built, and for each image the commit whose build it is, empty for its own."""
        images = [one for one in build_project_assets(self.project) if one.key.path[-1].startswith("docker_image")]
        resources = build_resources(self.settings)
        git = resources["git"]
        assert isinstance(git, GitResource)
        git.connect(self.project).fetch()
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions(commits_of(self.project).name or "", [sha])
            done = dg.materialize(
                images, instance=instance, partition_key=sha, resources=resources, raise_on_error=False
            )
        own = {"web": self.history.image(PROJECT, sha)} | further_images(self.history, PROJECT, sha)
        return done.success, {name: image.reused_from or "" for name, image in own.items() if image}


@pytest.mark.slow
def test_a_commit_that_touches_one_service_builds_one_image(
    engine: Engine, repository: Repository, tmp_path: Path
) -> None:
    shop = Shop(repository, tmp_path / "home")
    files = {
        f"{name}/{file}": text for name in ("web", "worker") for file, text in (("Dockerfile", STAGES), ("a.txt", name))
    }
    files["web/Dockerfile"] = STAGES.partition("FROM run")[0]
    first = repository.write({**files, "k8s.yaml": WORKLOAD}, "two services")
    second = repository.write({"worker/a.txt": "2"}, "one of them")
    third = repository.write({"worker/Dockerfile": STAGES.replace("COPY a.txt", "COPY b.txt")}, "a broken one")
    assert shop.build(first) == (True, {"web": "", "worker": ""})
    assert shop.build(second) == (True, {"web": first, "worker": ""})

    further = further_references(shop.history, shop.project, shop.project.environment, second)
    assert further == [f"infraaudit/{PROJECT}/worker:{second[:12]}"]
    web = f"infraaudit/{PROJECT}:{second[:12]}"
    release = build_release(
        repository.mirror(),
        tmp_path / "scratch",
        shop.project,
        shop.project.environment,
        second,
        web,
        GATE_FILE,
        further,
    )
    (workload,) = yaml.safe_load_all(release.manifests)
    named = {one["name"]: one["image"] for one in workload["spec"]["template"]["spec"]["containers"]}
    assert named == {"web": web, "jobs": further[0]}
    for reference, text in ((web, "web"), (further[0], "2")):
        assert engine.run("run", "--rm", "--network=none", reference, "cat", "/a.txt").text.strip() == text

    assert shop.build(third) == (False, {"web": first})
    (reason,) = shop.history.reasons(PROJECT, third).values()
    assert reason.startswith("image worker: worker/Dockerfile of")
    with pytest.raises(ManifestError, match="has no image worker; materialize docker_image_worker first"):
        further_references(shop.history, shop.project, shop.project.environment, third)


def test_the_deployment_waits_for_every_image(repository: Repository, tmp_path: Path) -> None:
    shop = Shop(repository, tmp_path)
    (deployment,) = (one for one in build_project_assets(shop.project) if one.key.path[-1] == "deployment")
    names = {key.path[-1] for key in deployment.dependency_keys}
    assert names == {"docker_image", "docker_image_worker", "test_results", "scan_report"}
