"""What a project's entry in configs/projects.yaml may hold, and the domain's project that it makes.

Deliberately absent: reading the file, and what entries may not have in common (projects.py).
"""

import re
from pathlib import Path
from typing import Annotated

from pathspec import GitIgnoreSpec
from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from infraaudit_domain.dagster_names import doubled_environments
from infraaudit_domain.delivery.analysis import Analysis, Threshold
from infraaudit_domain.delivery.approvals import ApprovalRule
from infraaudit_domain.delivery.builds import BuildLimits, BuildRules, Egress, Isolation, host_and_port
from infraaudit_domain.kubernetes.drift_rules import IgnoreRule, parse_path
from infraaudit_domain.projects import Environment, Paths, Project
from resources.configuration.addresses import AddressEntry, Routes, addresses
from resources.configuration.entry import Entry, Inside
from resources.configuration.forge import ForgeOf, secret_file
from resources.configuration.freezes import FreezeEntry
from resources.configuration.image_entry import BuildArgs, ImageList
from resources.configuration.tests_entry import TestsOf, plan_of, with_image

_FOLDED = {
    *("build_isolation", "build_egress", "build_limits", "build_secrets", "base_images"),  # into the rules of builds
    *("adopt", "uses", "ignore_drift"),  # into every environment, besides its own
}

_LONGEST_WATCH = 2700.0
"""Seconds; max_runtime_seconds of the dagster.yaml files less what the rest of a run takes."""


def _known_transport(url: str) -> str:
    if url.startswith("-") or "::" in url or not url.strip():
        raise ValueError("must be a local path or an https, ssh or git URL")
    try:
        _absolute(url, Path())
    except (RuntimeError, ValueError, OSError) as error:  # The home of nobody, a null character, a circle of links.
        raise ValueError(f"is no path on this machine: {error}") from error
    return url


def _path_pattern(pattern: str) -> str:
    GitIgnoreSpec.from_lines([pattern])
    return pattern


Pattern = Annotated[str, AfterValidator(_path_pattern)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$")]


ObjectName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
"""Kind/name of an object in a cluster."""


class _Paths(Entry):
    dockerfile: Inside = "docker/Dockerfile"
    context: Inside = "."
    tests: Inside = "src/tests"
    checkov_config: Inside = "scanner/checkov_config.yaml"
    manifests: tuple[Inside, ...] = Paths().manifests
    prometheus: Inside = "configs/prometheus/prometheus.yml"
    dashboard: Inside = "configs/prometheus/grafana_dashboard.json"


def _json_path(text: str) -> str:
    parse_path(text)
    return text


class _IgnoredDrift(Entry):
    object: Annotated[str, Field(pattern=r"^([A-Z*][A-Za-z0-9*]*/[a-z0-9*][a-z0-9.*-]{0,252}|\*)$")] = "*"
    path: Annotated[str, AfterValidator(_json_path)]


class _Threshold(Entry):
    name: Annotated[str, Field(pattern=r"^\S(.{0,98}\S)?$")]
    query: Annotated[str, Field(min_length=1, max_length=4000)]
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> "_Threshold":
        if self.min is None and self.max is None:
            raise ValueError("has neither min nor max, so that every value would pass")
        return self


class _Analysis(Entry):
    after: Annotated[float, Field(ge=0, le=_LONGEST_WATCH)] = 60.0
    seconds: Annotated[float, Field(gt=0, le=_LONGEST_WATCH)] = 60.0
    every: Annotated[float, Field(ge=1, le=600)] = 10.0
    thresholds: Annotated[tuple[_Threshold, ...], Field(min_length=1, max_length=20)]

    @field_validator("thresholds")
    @classmethod
    def _names_are_unique(cls, given: tuple[_Threshold, ...]) -> tuple[_Threshold, ...]:
        if len({one.name for one in given}) < len(given):
            raise ValueError("two have the same name")
        return given

    def analysis(self) -> Analysis:
        limits = (Threshold(one.name, one.query, one.min, one.max) for one in self.thresholds)
        return Analysis(self.seconds, self.every, tuple(limits), self.after)


class _Environment(Entry):
    name: Name = "production"
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] = "default"
    context: str | None = None
    prune: bool = False
    force_conflicts: bool = False
    manifests: tuple[Inside, ...] = ()
    adopt: tuple[ObjectName, ...] = ()
    uses: tuple[ObjectName, ...] = ()
    ignore_drift: tuple[_IgnoredDrift, ...] = ()
    self_heal: bool = False
    soak: Annotated[float, Field(ge=0, le=_LONGEST_WATCH)] = 0.0
    promote_after: Annotated[float, Field(ge=0)] | None = None
    analysis: _Analysis | None = None
    freeze: tuple[FreezeEntry, ...] = ()
    approvals: Annotated[int, Field(ge=0, le=20)] = 0
    approvers: tuple[Annotated[str, Field(pattern=r"^\S(.{0,253}\S)?$")], ...] = ()
    approve_own: bool = False

    @model_validator(mode="after")
    def _is_watched_no_longer_than_a_run_may_last(self) -> "_Environment":
        analysis = self.analysis.analysis() if self.analysis else Analysis()
        if (seconds := self.soak + analysis.lasts) > _LONGEST_WATCH:
            raise ValueError(
                f"watches a release for {seconds:g} s (soak, and analysis with its after and seconds); {_LONGEST_WATCH:g} "
                "are the most, because a run that lasts an hour is ended"
            )
        return self

    @model_validator(mode="after")
    def _has_enough_approvers(self) -> "_Environment":
        able = len({name.casefold() for name in self.approvers})
        if self.approvers and able < self.approvals:
            raise ValueError(f"needs {self.approvals} approvals and names {able} approvers, so that nothing gets in")
        return self


def _address_and_port(text: str) -> str:
    host_and_port(text)
    return text


class _BuildLimits(Entry):
    memory_megabytes: Annotated[int, Field(ge=256)] = BuildLimits().memory_megabytes
    processes: Annotated[int, Field(ge=100)] = BuildLimits().processes
    cpus: Annotated[float, Field(gt=0)] | None = None
    disk_megabytes: Annotated[int, Field(ge=512)] = BuildLimits().disk_megabytes
    file_megabytes: Annotated[int, Field(ge=1)] = BuildLimits().file_megabytes
    log_lines: Annotated[int, Field(ge=100)] = BuildLimits().log_lines


class ProjectEntry(Entry):
    name: Name
    url: Annotated[str, AfterValidator(_known_transport)]
    branches: Annotated[tuple[str, ...], Field(min_length=1)] = ("main",)
    deploy_branch: str = "main"
    audit_only: bool = False
    paths: _Paths = _Paths()
    images: ImageList = ()
    tests: TestsOf = None
    adopt: tuple[ObjectName, ...] = ()
    uses: tuple[ObjectName, ...] = ()
    ignore_drift: tuple[_IgnoredDrift, ...] = ()
    environments: Annotated[tuple[_Environment, ...], Field(min_length=1)] = (_Environment(),)
    default: bool = False
    commit_url: Annotated[str, Field(pattern=r"^https?://.*\{sha\}")] | None = None
    build_args: BuildArgs = {}
    build_isolation: Isolation | None = None
    build_egress: Egress | tuple[Annotated[str, AfterValidator(_address_and_port)], ...] = Egress.PUBLIC
    build_limits: _BuildLimits = _BuildLimits()
    build_secrets: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], Annotated[str, AfterValidator(secret_file)]
    ] = {}
    base_images: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][^\s]{0,254}$")], ...] = ()
    registry: str | None = None
    container: str | None = None
    first_commits: Annotated[int, Field(ge=0)] = 1
    paths_only: tuple[Pattern, ...] = ()
    paths_ignore: tuple[Pattern, ...] = ()
    reuse_tests: bool = False
    supersede: bool = False
    notify: tuple[str | AddressEntry, ...] = ()
    routes: Routes = {}
    forge: ForgeOf = None

    @field_validator("environments")
    @classmethod
    def _environments_are_unique(cls, given: tuple[_Environment, ...]) -> tuple[_Environment, ...]:
        if doubled := doubled_environments([one.name for one in given]):
            raise ValueError(f"environments are named {' and '.join(doubled)} ('-' and '_' count as equal); rename one")
        return given

    @field_validator("tests")
    @classmethod
    def _tests_have_an_image(cls, given: TestsOf, info: ValidationInfo) -> TestsOf:
        return with_image(given, [one.name for one in info.data.get("images", ())])

    def project(self, folder: Path) -> Project:
        """The domain's project; a relative local path counts from the projects file's folder."""
        fields = {name: getattr(self, name) for name in type(self).model_fields if name not in _FOLDED}
        fields["build"] = BuildRules(
            self.build_isolation,
            self.build_egress,
            BuildLimits(**self.build_limits.model_dump()),
            self.base_images,
            self.build_secrets,
        )
        fields["paths"] = Paths(**self.paths.model_dump())
        fields["images"] = tuple(given.source() for given in self.images)
        fields["tests"] = plan_of(self.tests)
        fields["environments"] = tuple(self._environment(given) for given in self.environments)
        fields["notify"] = addresses(self.notify)
        fields["routes"] = {owner: addresses(given) for owner, given in self.routes.items()}
        fields["url"] = _absolute(self.url, folder)
        fields["forge"] = self.forge.forge(self.url) if self.forge else None
        return Project(**fields)

    def _environment(self, given: _Environment) -> Environment:
        ignored = (*self.ignore_drift, *given.ignore_drift)
        lists = {
            "adopt": (*self.adopt, *given.adopt),
            "uses": (*self.uses, *given.uses),
            "ignore_drift": tuple(IgnoreRule(one.object, parse_path(one.path)) for one in ignored),
            "analysis": given.analysis.analysis() if given.analysis else Analysis(),
            "freeze": tuple(window.window() for window in given.freeze),
            "approval": ApprovalRule(given.approvals, given.approvers, given.approve_own),
        }
        fields = given.model_dump(exclude={"approvals", "approvers", "approve_own"})
        return Environment(**(fields | lists))


def _absolute(url: str, folder: Path) -> str:
    is_remote = "://" in url or re.match(r"^[^/]+@[^/]+:", url)
    return url if is_remote else str((folder / Path(url).expanduser()).resolve())
