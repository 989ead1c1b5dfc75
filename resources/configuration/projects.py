"""Read and write configs/projects.yaml: which repositories there are, and how each is treated.

Every fault of the file is reported at once, with its line and key. Deliberately absent: anything read from a commit.
"""

import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, model_validator

from infraaudit_domain.dagster_names import claimed_names, group_of
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Environment, Project
from resources.configuration.document import Document, parse_document, read_document, read_text
from resources.configuration.entry import Entry
from resources.configuration.project_entry import ProjectEntry
from resources.machine.atomic_file import READABLE, write_atomically
from resources.machine.locks import locked_folder

_WHAT = "projects file"
_EMPTY = "projects:\n"


class _File(Entry):
    projects: tuple[ProjectEntry, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> "_File":
        taken = _Taken()
        if clash := next(filter(None, (taken.add(entry.project(Path())) for entry in self.projects)), ""):
            raise ValueError(clash)
        return self


class _Taken:
    """The names that the projects before have taken."""

    def __init__(self) -> None:
        self._owners, self._has_default = dict[str, str](), False

    def add(self, project: Project) -> str:
        """Take the names of a project; returns the conflict where it cannot have them, and then takes none."""
        group, names = group_of(project), claimed_names(project)
        wanted = {f"project {group}": project.name}
        wanted |= dict.fromkeys(names, project.name)
        if f"project {group}" in self._owners:
            other = self._owners[f"project {group}"]
            return f"two projects are named {other} and {project.name} ('-' and '_' count as equal); rename one"
        if doubled := sorted(wanted.keys() & self._owners):
            owners = sorted({self._owners[name] for name in doubled})
            return (
                f"{project.name} and {', '.join(owners)}, or an environment of one of them, make the same name {', '.join(doubled)} in "
                "Dagster; rename the project or the environment that is newer"
            )
        if project.default and self._has_default:
            return "only one project can be the default"
        self._owners |= wanted
        self._has_default |= project.default
        return ""


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
    projects, taken = list[Project](), _Taken()
    for index, entry in enumerate(entries):
        project = _load(document, index, entry)
        if clash := taken.add(project):
            name = _free_name(index, [*projects, *entries])
            fault = project.fault or clash
            project = replace(project, name=name, environments=(Environment(),), default=False, fault=fault)
            taken.add(project)
        projects.append(project)
    return tuple(projects)


def _free_name(index: int, others: Sequence[Any]) -> str:
    """What an entry is called that cannot have its own name."""
    names = (
        one.name if isinstance(one, Project) else one.get("name") if isinstance(one, dict) else "" for one in others
    )
    taken = {str(name).replace("-", "_") for name in names}
    return next(name for number in count(index + 1) if (name := f"project_{number}") not in taken)


def _load(document: Document, index: int, entry: Any) -> Project:
    key, folder = ("projects", index), document.path.resolve().parent
    faults = document.within(key)
    try:
        project = ProjectEntry.model_validate(entry).project(folder)
        return replace(project, fault=str(document.error(faults, _WHAT))) if faults else project
    except ValidationError as error:
        faults += document.faults_of(error, key)
    wrong = {fault.key[2] for fault in faults if len(fault.key) > 2}
    right = {name: value for name, value in entry.items() if name not in wrong} if isinstance(entry, dict) else {}
    unnamed = {"name": f"project_{index + 1}", "url": "unknown"}
    fault = str(document.error(faults, _WHAT))
    return replace(ProjectEntry.model_validate(unnamed | right).project(folder), fault=fault)


def _read(path: Path) -> Document:
    try:
        return read_document(path, _WHAT)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"There is no projects file {path}. Make one with `infraaudit projects add`, or set INFRAAUDIT_PROJECTS."
        ) from error


def add_project(path: Path, name: str, url: str, branch: str = "main", notify: Sequence[str] = ()) -> Project:
    """Append a project with the usual layout; see ``add_entry``."""
    entry: dict[str, Any] = {"name": name, "url": url, "branches": [branch], "deploy_branch": branch}
    return add_entry(path, entry | ({"notify": list(notify)} if notify else {}))


def add_entry(path: Path, entry: Mapping[str, Any]) -> Project:
    """Append a project's entry to a projects file, creating the file where it is missing. Raises ConfigurationError.

    The existing text of the file, comments included, is unchanged, and so are its rights.
    """
    path = path.resolve()
    with locked_folder(path.parent):
        text = read_text(path, _WHAT) if path.exists() else _EMPTY
        grown = _with_entry(text, entry_text(entry))
        projects = _validated(path, text, grown, entry)
        write_atomically(path, grown.encode(), stat.S_IMODE(path.stat().st_mode) if path.exists() else READABLE)
    return projects[-1].project(path.parent)


def check_entry(path: Path, entry: Mapping[str, Any]) -> None:
    """Raises ConfigurationError where the entry could not be appended to the projects file as it is now."""
    text = read_text(path, _WHAT) if path.exists() else _EMPTY
    _validated(path, text, _with_entry(text, entry_text(entry)), entry)


def entry_text(entry: Mapping[str, Any]) -> str:
    """A project's entry as it stands in a projects file, without its indentation."""
    return yaml.safe_dump([dict(entry)], sort_keys=False, allow_unicode=True, width=1000)


def _with_entry(text: str, block: str) -> str:
    if not re.search(r"^projects[ \t]*:", text, re.MULTILINE):
        text = f"{text.rstrip()}\nprojects:\n".lstrip()
    items = re.search(r"^( *)- ", text, re.MULTILINE)
    indent = items.group(1) if items else "  "
    indented = "".join(f"{indent}{line}\n" for line in block.splitlines())
    opened = re.sub(r"^(projects[ \t]*:)[ \t]*\[[ \t]*\]", r"\1", text.rstrip("\r\n"), flags=re.MULTILINE)
    grown = f"{opened}\n{indented}"
    return re.sub(r"\r?\n", "\r\n", grown) if "\r\n" in text else grown


def _validated(path: Path, text: str, grown: str, entry: Mapping[str, Any]) -> tuple[ProjectEntry, ...]:
    """The entries of the grown file, which are those of before and the new one. Raises ConfigurationError."""
    before = (parse_document(path, text, _WHAT).value or {}).get("projects") or []
    try:
        document = parse_document(path, grown, _WHAT)
        listed = (document.value or {}).get("projects")
    except ConfigurationError:
        listed = None
    if listed != [*before, _plain(entry)]:
        raise ConfigurationError(
            f"The {_WHAT} {path} is written in a way in which nothing can be appended to it. Add this entry yourself:\n"
            f"{entry_text(entry)}"
        )
    return document.validate(_File, _WHAT).projects


def _plain(entry: Mapping[str, Any]) -> Any:
    return yaml.safe_load(entry_text(entry))[0]
