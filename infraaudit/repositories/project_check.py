"""Check everything that a project's first run will need, before there is one: each fault with what to do about it.

What was not looked at is said, and counts for nothing. Deliberately absent: building, testing, pushing or deploying
anything, and repairing what is wrong.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from infraaudit import working_trees
from infraaudit_domain.delivery.builds import Isolation
from infraaudit_domain.errors import ConfigurationError, InfraAuditError, RepositoryError
from infraaudit_domain.projects import Paths, Project
from infraaudit_domain.reporting.recipients import Address, Recipients, unheard
from infraaudit_domain.triggers import is_watched
from resources.checkov.config_file import configuration
from resources.configuration.gate import read_gate
from resources.configuration.suppressions import read_suppressions
from resources.git.mirror import Mirror
from resources.notifier import fault_of


class State(StrEnum):
    """What a look at one thing said."""

    GOOD = "good"
    FAULT = "fault"
    ABSENT = "absent"
    """It is not there, and nothing stops for it."""
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that a project needs."""

    what: str
    state: State
    detail: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """Both, to be read in one go."""
        return f"{self.detail.rstrip('.')}. {self.remedy}" if self.remedy else self.detail


@dataclass(frozen=True, slots=True)
class Site:
    """What the installation gives to every project."""

    gate_file: Path
    scratch: Path
    isolation: Isolation
    notify: tuple[Address, ...] = ()
    webhooks: frozenset[str] = frozenset()
    """Projects that have a webhook secret."""
    engine: str = "auto"
    target: str = "auto"
    kubeconfig: Path | None = None
    prometheus_url: str | None = None
    grafana_url: str | None = None
    grafana_token: str | None = None


ONLY_AUDITED = "it is only audited (audit_only in its entry)"
_OR_ONLY_AUDIT = "or set audit_only: true in its entry, so that it is only scanned"
_REMEDIES = {
    "image": f"Add it, set paths.dockerfile, {_OR_ONLY_AUDIT}.",
    "tests": f"Set paths.tests to the folder of its tests in pytest, tests to its command or to none, {_OR_ONLY_AUDIT}.",
    "manifests": f"Set paths.manifests, {_OR_ONLY_AUDIT}.",
}
_USUAL = Paths()


def check_repository(project: Project, mirror: Mirror, site: Site) -> Iterator[Checked]:
    """What its entry and its repository say. Fetches the mirror; raises nothing that is the project's own fault."""
    if project.fault:
        yield Checked("entry", State.FAULT, project.fault, "Correct it in the projects file.")
        yield Checked("everything else", State.NOT_CHECKED, "its entry is not valid")
        return
    yield Checked("entry", State.GOOD, "valid")
    try:
        mirror.fetch()
        branches = mirror.branches()
    except RepositoryError as error:
        yield Checked("repository", State.FAULT, str(error))
        yield Checked("branches and paths", State.NOT_CHECKED, "the repository cannot be read")
        return
    yield Checked("repository", State.GOOD, f"{len(branches)} branches")
    head = branches.get(project.deploy_branch)
    yield _deploy_branch(project, head is not None)
    for pattern in project.branches:
        if not any(is_watched(_only(project, pattern), name) for name in branches):
            yield Checked(f"branches {pattern}", State.ABSENT, "no branch has such a name: none of it is run")
    if head is None:
        yield Checked("paths", State.NOT_CHECKED, f"there is no branch {project.deploy_branch}")
        return
    yield from _paths(project, mirror, head, site)


def check_installation(project: Project, site: Site) -> Iterator[Checked]:
    """What it needs of this machine besides the outside parts: policy, secrets of builds, notices."""
    for what, read in (
        ("gate policy", lambda: read_gate(site.gate_file)),
        ("suppressions", lambda: read_suppressions(site.gate_file.parent, project.name)),
    ):
        try:
            read()
            yield Checked(what, State.GOOD, "valid")
        except (ConfigurationError, OSError) as error:
            yield Checked(what, State.FAULT, str(error), "Correct it; every commit is stopped until then.")
    if not project.audit_only:
        yield from _build_secrets(project)
    yield from _notices(project, site)
    if project.name in site.webhooks:
        yield Checked("webhook", State.GOOD, "it has a secret; `infraaudit webhook test` tries it")
    else:
        yield Checked(
            "webhook", State.ABSENT, "it has no secret (INFRAAUDIT_WEBHOOK_SECRETS): the Git sensor finds its commits"
        )


def _deploy_branch(project: Project, exists: bool) -> Checked:
    name, what = project.deploy_branch, "deploy branch"
    if not exists:
        fault = f"it has no branch {name}; set deploy_branch in the projects file."
        return Checked(what, State.FAULT, fault)
    if not is_watched(project, name):
        return Checked(what, State.FAULT, f"no pattern of branches matches {name}", f"Add {name} to branches.")
    return Checked(what, State.GOOD, name)


def _only(project: Project, pattern: str) -> Project:
    return Project(project.name, project.url, branches=(pattern,))


def _paths(project: Project, mirror: Mirror, head: str, site: Site) -> Iterator[Checked]:
    try:
        tree = [entry.path for entry in mirror.tree(head)]
        context = project.paths.context.rstrip("/")
        if not project.audit_only and context != "." and not any(one.startswith(f"{context}/") for one in tree):
            yield Checked("build context", State.FAULT, f"there is no folder {context}", "Set paths.context.")
        yield _scan_configuration(project, mirror, head, project.paths.checkov_config in tree)
        if project.audit_only:
            yield Checked("image, tests and manifests", State.NOT_CHECKED, ONLY_AUDITED)
            return
        for part in working_trees.files(mirror, head, project, site.scratch, site.gate_file):
            yield _of_part(part, project)
    except InfraAuditError as error:
        yield Checked("paths", State.FAULT, str(error))


def _of_part(part: working_trees.Part, project: Project) -> Checked:
    kind = part.part.partition(" ")[0]
    if part.state is working_trees.State.GOOD:
        return Checked(part.part, State.GOOD, part.reason)
    if part.state is working_trees.State.REFUSED:
        return Checked(part.part, State.FAULT, part.reason)
    is_usual = getattr(project.paths, {"monitoring": "prometheus"}.get(kind, kind), None) in (
        _USUAL.prometheus,
        _USUAL.dashboard,
    )
    if kind in _REMEDIES or not is_usual:
        return Checked(part.part, State.FAULT, part.reason, _REMEDIES.get(kind, "Correct its path in the entry."))
    return Checked(part.part, State.ABSENT, part.reason)


def _scan_configuration(project: Project, mirror: Mirror, head: str, is_there: bool) -> Checked:
    path, what = project.paths.checkov_config, "scan configuration"
    if not is_there and path != _USUAL.checkov_config:
        return Checked(what, State.FAULT, f"there is no {path}", "Correct paths.checkov_config in the entry.")
    if not is_there:
        return Checked(what, State.ABSENT, f"there is no {path}: everything is scanned")
    _, warnings = configuration(mirror, head, path)
    noted = f"; not honoured: {'; '.join(warnings)}" if warnings else ""
    return Checked(what, State.GOOD, f"{path}{noted}")


def _build_secrets(project: Project) -> Iterator[Checked]:
    for name, path in project.build.secrets.items():
        what, remedy = f"build secret {name}", f"Make {path} a file that the user of the runs can read."
        if not os.path.isfile(path):
            yield Checked(what, State.FAULT, f"there is no file {path}", remedy)
        elif not os.access(path, os.R_OK):
            yield Checked(what, State.FAULT, f"{path} cannot be read by this user", remedy)
        else:
            yield Checked(what, State.GOOD, f"{path} can be read by this user")


def _notices(project: Project, site: Site) -> Iterator[Checked]:
    hearing = Recipients((*site.notify, *project.notify), project.routes)
    if not hearing.hear_failures:
        yield Checked("notices", State.ABSENT, unheard(project.name))
        return
    addresses = (*hearing.lists, *(address for some in hearing.routes.values() for address in some))
    faults = [fault for address in addresses if (fault := fault_of(address))]
    if faults:
        yield Checked(
            "notices", State.FAULT, "; ".join(faults), "Correct the address (INFRAAUDIT_NOTIFY, notify or routes)."
        )
        return
    yield Checked("notices", State.NOT_CHECKED, f"{len(addresses)} addresses are well formed; nothing was sent to them")
