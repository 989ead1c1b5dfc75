"""A project: one Git repository and how the pipeline treats it.

Deliberately absent: reading configs/projects.yaml (resources/configuration/projects.py), and anything a commit could set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from infraaudit_domain.delivery.analysis import Analysis
from infraaudit_domain.delivery.approvals import ApprovalRule
from infraaudit_domain.delivery.builds import BuildRules
from infraaudit_domain.delivery.freezes import Between, Freeze
from infraaudit_domain.delivery.image_sources import ImageSource
from infraaudit_domain.delivery.test_plans import TestCommand, TestPlan
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule
from infraaudit_domain.reporting.forge_address import Forge
from infraaudit_domain.reporting.recipients import Address, Recipients


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a repository keeps what the pipeline reads; the defaults are the layout of InfraAuditAI.

    Every path is relative to the repository's root and stays inside it.
    """

    dockerfile: str = "docker/Dockerfile"
    context: str = "."
    tests: str = "src/tests"
    checkov_config: str = "scanner/checkov_config.yaml"
    manifests: tuple[str, ...] = ("configs/kubernetes/deployment.yaml", "configs/kubernetes/service.yaml")
    prometheus: str = "configs/prometheus/prometheus.yml"
    dashboard: str = "configs/prometheus/grafana_dashboard.json"


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a project is deployed to, for example staging or production."""

    name: str = "production"
    namespace: str = "default"
    context: str | None = None
    """The kubeconfig context; None is the current one."""
    prune: bool = False
    """Whether objects that left the manifests are deleted; only what carries our labels ever is."""
    force_conflicts: bool = False
    """Whether fields that another field manager owns are taken over; else such a release is refused."""
    manifests: tuple[str, ...] = ()
    """This environment's own manifests or kustomize overlay; none are those of the project, with the image alone
    changed."""
    adopt: tuple[str, ...] = ()
    """Objects (``Kind/name``) of somebody else that the project may take over; any other that exists refuses a
    release."""
    uses: tuple[str, ...] = ()
    """Objects (``Kind/name``) of somebody else that its manifests may refer to: a Secret, a ConfigMap, an account."""
    ignore_drift: tuple[IgnoreRule, ...] = ()
    """Places of its objects whose differences are no drift: somebody else looks after them."""
    self_heal: bool = False
    """Whether drift that is found is put right: the live release is applied again, and what others added is taken
    out."""
    soak: float = 0.0
    """Seconds that a release has to stay healthy, without a restart, before it counts as deployed."""
    promote_after: float | None = None
    """Seconds that a commit must have been healthy in the environment before this one to be promoted automatically;
    None leaves promotion to `infraaudit promote`."""
    freeze: tuple[Freeze | Between, ...] = ()
    """When nothing is deployed to it."""
    analysis: Analysis = field(default_factory=Analysis)
    """What a release is measured by once it is healthy, before it counts as deployed."""
    approval: ApprovalRule = field(default_factory=ApprovalRule)
    """Who has to let a commit in."""


@dataclass(frozen=True, slots=True)
class Project:
    """One Git repository as the pipeline sees it."""

    name: str
    url: str
    branches: tuple[str, ...] = ("main",)
    """Branch names or glob patterns whose commits become partitions."""
    deploy_branch: str = "main"
    audit_only: bool = False
    """Whether commits are scanned and nothing of them is built, tested or deployed, as of a repository of Terraform."""
    paths: Paths = field(default_factory=Paths)
    images: tuple[ImageSource, ...] = ()
    """Every image of the project, the first of which the tests run in where nothing else is said; none is the one of ``paths``."""
    tests: TestPlan = None
    """How its commits are tested; None is pytest of ``paths.tests``."""
    environments: tuple[Environment, ...] = (Environment(),)
    """In the order of promotion; a commit is deployed to the first automatically."""
    default: bool = False
    """The project whose newest report is also kept as ``reports/latest_scan.json``."""
    commit_url: str | None = None
    """A link to a commit, with ``{sha}`` in it."""
    build_args: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    build: BuildRules = field(default_factory=BuildRules)
    registry: str | None = None
    """``host[:port]/path`` that images are pushed to; None deploys the local image."""
    container: str | None = None
    """The container of the workload that runs the built image; None is its only (or first) one. Whatever else names the
    image that it was written with gets the built one, too."""
    first_commits: int = 1
    """How many commits of each branch the sensor takes when it first sees it; 0 is all."""
    paths_only: tuple[str, ...] = ()
    """Patterns as in .gitignore; a commit that changes nothing they match starts no run. None is every path."""
    paths_ignore: tuple[str, ...] = ()
    """Patterns as in .gitignore; a commit that changes only what they match starts no run."""
    reuse_tests: bool = False
    """Whether the tests of a commit are not run again where they passed in the same image, on the same engine and
    within the same limits."""
    supersede: bool = False
    """Whether the queued run of a commit is cancelled when a newer commit of its branch has one too."""
    notify: tuple[Address, ...] = ()
    """Addresses that are notified, besides those of the settings."""
    routes: Mapping[str, tuple[Address, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Addresses that get, instead of ``notify``, what concerns an owner: an author's e-mail, or a name of CODEOWNERS."""
    forge: Forge | None = None
    """Where the statuses of its commits are sent; None sends none."""
    fault: str = ""
    """What is wrong with its entry in the projects file; such a project is loaded but runs nothing."""

    @property
    def recipients(self) -> Recipients:
        """Those whom the project itself names."""
        return Recipients(self.notify, self.routes)

    @property
    def first_image(self) -> ImageSource:
        """The image that stands for a commit where one is shown."""
        return self.images[0] if self.images else ImageSource("", self.paths.dockerfile, self.paths.context)

    @property
    def further_images(self) -> tuple[ImageSource, ...]:
        return self.images[1:]

    @property
    def tests_image(self) -> ImageSource:
        """The image that the tests run in, or a stage of."""
        named = self.tests.image if isinstance(self.tests, TestCommand) else ""
        return next((image for image in self.images if image.name == named), self.first_image)

    @property
    def environment(self) -> Environment:
        """The environment that commits of the deploy branch are deployed to automatically."""
        return self.environments[0]

    def before(self, environment: Environment) -> Environment | None:
        """The environment that a commit has to be healthy in first; None for the first one."""
        position = self.environments.index(environment)
        return self.environments[position - 1] if position else None
