"""Read and write configs/projects.yaml: which repositories there are, and how each is treated.

Every fault of the file is reported at once, with its line and key. Deliberately absent: anything read from a commit.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import yaml
from pathspec import GitIgnoreSpec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from infraaudit_domain.delivery.builds import BuildLimits, BuildRules, Egress, Isolation, host_and_port
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Environment, Paths, Project
from infraaudit_domain.reporting.notices import Address
from resources.configuration.document import Document, parse_document, read_document, read_text
from resources.machine.atomic_file import READABLE, write_atomically

_WHAT = "projects file"
_FOLDED = {
    *("build_isolation", "build_egress", "build_limits", "build_secrets", "base_images"),  # into the rules of builds
    *("adopt", "uses"),  # into every environment, besides its own
}


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts:
        raise ValueError("must be a path relative to the repository's root that stays inside it")
    return path


def _known_transport(url: str) -> str:
    if url.startswith("-") or "::" in url or not url.strip():
        raise ValueError("must be a local path or an https, ssh or git URL")
    return url


def _path_pattern(pattern: str) -> str:
    GitIgnoreSpec.from_lines([pattern])
    return pattern


Inside = Annotated[str, AfterValidator(_inside)]
Pattern = Annotated[str, AfterValidator(_path_pattern)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?$")]


ObjectName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
"""Kind/name of an object in a cluster."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Paths(_Entry):
    dockerfile: Inside = "docker/Dockerfile"
    context: Inside = "."
    tests: Inside = "src/tests"
    checkov_config: Inside = "scanner/checkov_config.yaml"
    manifests: tuple[Inside, ...] = Paths().manifests
    prometheus: Inside = "configs/prometheus/prometheus.yml"
    dashboard: Inside = "configs/prometheus/grafana_dashboard.json"


class _Environment(_Entry):
    name: Name = "production"
    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")] = "default"
    context: str | None = None
    prune: bool = False
    force_conflicts: bool = False
    manifests: tuple[Inside, ...] = ()
    adopt: tuple[ObjectName, ...] = ()
    uses: tuple[ObjectName, ...] = ()
    promote_after: Annotated[float, Field(ge=0)] | None = None


def _address_and_port(text: str) -> str:
    host_and_port(text)
    return text


def _secret_file(path: str) -> str:
    if not PurePosixPath(path).is_absolute() or "," in path:
        raise ValueError("must be the absolute path of a file, without a comma")
    return path


class _BuildLimits(_Entry):
    memory_megabytes: Annotated[int, Field(ge=256)] = BuildLimits().memory_megabytes
    processes: Annotated[int, Field(ge=100)] = BuildLimits().processes
    cpus: Annotated[float, Field(gt=0)] | None = None
    disk_megabytes: Annotated[int, Field(ge=512)] = BuildLimits().disk_megabytes
    file_megabytes: Annotated[int, Field(ge=1)] = BuildLimits().file_megabytes
    log_lines: Annotated[int, Field(ge=100)] = BuildLimits().log_lines


class _Address(_Entry):
    url: str
    urgency: Literal["info", "failure", "critical"] = "info"


class _Project(_Entry):
    name: Name
    url: Annotated[str, AfterValidator(_known_transport)]
    branches: Annotated[tuple[str, ...], Field(min_length=1)] = ("main",)
    deploy_branch: str = "main"
    paths: _Paths = _Paths()
    adopt: tuple[ObjectName, ...] = ()
    uses: tuple[ObjectName, ...] = ()
    environments: Annotated[tuple[_Environment, ...], Field(min_length=1)] = (_Environment(),)
    default: bool = False
    commit_url: Annotated[str, Field(pattern=r"^https?://.*\{sha\}")] | None = None
    build_args: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}
    build_isolation: Isolation | None = None
    build_egress: Egress | tuple[Annotated[str, AfterValidator(_address_and_port)], ...] = Egress.PUBLIC
    build_limits: _BuildLimits = _BuildLimits()
    build_secrets: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], Annotated[str, AfterValidator(_secret_file)]
    ] = {}
    base_images: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][^\s]{0,254}$")], ...] = ()
    registry: str | None = None
    container: str | None = None
    first_commits: Annotated[int, Field(ge=0)] = 1
    paths_only: tuple[Pattern, ...] = ()
    paths_ignore: tuple[Pattern, ...] = ()
    supersede: bool = False
    notify: tuple[str | _Address, ...] = ()

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
        fields["environments"] = tuple(self._environment(given) for given in self.environments)
        given = (_Address(url=one) if isinstance(one, str) else one for one in self.notify)
        fields["notify"] = tuple(Address(one.url, one.urgency) for one in given)
        fields["url"] = _absolute(self.url, folder)
        return Project(**fields)

    def _environment(self, given: _Environment) -> Environment:
        lists = {"adopt": (*self.adopt, *given.adopt), "uses": (*self.uses, *given.uses)}
        return Environment(**(given.model_dump() | lists))


class _File(_Entry):
    projects: tuple[_Project, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "_File":
        if clash := _clash(self.projects):
            raise ValueError(clash)
        return self


def _clash(projects: Sequence[_Project | Project]) -> str:
    """Conflicts between projects."""
    names = [project.name.replace("-", "_") for project in projects]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        return f"two projects are named {', '.join(doubled)} ('-' and '_' count as equal)"
    return "only one project can be the default" if sum(project.default for project in projects) > 1 else ""


def read_projects(path: Path) -> tuple[Project, ...]:
    """The projects of a projects file. Raises ConfigurationError that lists every fault with its line and key."""
    return tuple(entry.project(path.resolve().parent) for entry in _read(path).validate(_File, _WHAT).projects)


def load_projects(path: Path) -> tuple[Project, ...]:
    """The projects of a projects file, the broken ones too, so that one never stops the others.

    A broken entry keeps its valid parts; its ``fault`` names the invalid ones, and it starts no runs. Raises
    ConfigurationError where the file as a whole cannot be read.
    """
    document = _read(path)
    raw = document.value or {}
    entries = raw.get("projects") if isinstance(raw, dict) else None
    of_entries = [fault for fault in document.faults if len(fault.key) > 1]
    if not isinstance(entries, list) or set(raw) != {"projects"} or len(of_entries) < len(document.faults):
        return read_projects(path)
    projects: list[Project] = []
    for index, entry in enumerate(entries):
        project = _load(document, index, entry)
        clash = _clash([*projects, project])
        if clash:
            project = replace(project, name=f"project_{index + 1}", default=False, fault=project.fault or clash)
        projects.append(project)
    return tuple(projects)


def _load(document: Document, index: int, entry: Any) -> Project:
    key, folder = ("projects", index), document.path.resolve().parent
    faults = document.within(key)
    try:
        project = _Project.model_validate(entry).project(folder)
        return replace(project, fault=str(document.error(faults, _WHAT))) if faults else project
    except ValidationError as error:
        faults += document.faults_of(error, key)
    wrong = {fault.key[2] for fault in faults if len(fault.key) > 2}
    right = {name: value for name, value in entry.items() if name not in wrong} if isinstance(entry, dict) else {}
    unnamed = {"name": f"project_{index + 1}", "url": "unknown"}
    fault = str(document.error(faults, _WHAT))
    return replace(_Project.model_validate(unnamed | right).project(folder), fault=fault)


def _read(path: Path) -> Document:
    try:
        return read_document(path, _WHAT)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"There is no projects file {path}. Make one with `infraaudit projects add`, or set INFRAAUDIT_PROJECTS."
        ) from error


def add_project(path: Path, name: str, url: str, branch: str = "main") -> Project:
    """Append a project to a projects file, creating the file where it is missing. Raises ConfigurationError.

    The existing text of the file, comments included, is unchanged.
    """
    text = read_text(path, _WHAT) if path.exists() else "projects:\n"
    entry = {"name": name, "url": url, "branches": [branch], "deploy_branch": branch}
    block = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
    items = re.search(r"^( *)- ", text, re.MULTILINE)
    indent = items.group(1) if items else "  "
    indented = "".join(f"{indent}{line}\n" for line in block.splitlines())
    grown = re.sub(r"^projects:\s*\[\]\s*$", "projects:", text.rstrip("\n"), flags=re.MULTILINE) + "\n" + indented
    projects = parse_document(path, grown, _WHAT).validate(_File, _WHAT).projects
    write_atomically(path, grown.encode(), READABLE)
    return projects[-1].project(path.resolve().parent)


def _absolute(url: str, folder: Path) -> str:
    is_remote = "://" in url or re.match(r"^[^/]+@[^/]+:", url)
    return url if is_remote else str((folder / Path(url).expanduser()).resolve())
