"""`infraaudit projects add URL`: read a repository, show what it holds, and write the entry of its project.

Deliberately absent: changing an entry that is there, and a first run.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from infraaudit.repositories.discovery import Discovery, discover
from infraaudit_assets.commands.formats import print_result, print_rows
from infraaudit_assets.commands.options import Format
from infraaudit_assets.commands.person import me
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError, excerpt
from infraaudit_domain.judging.audit_log import Act
from infraaudit_domain.repositories.address import fault_of, is_local, name_of, same_repository
from infraaudit_domain.repositories.layout import counted_files
from infraaudit_domain.repositories.selection import Found, Wanted
from resources.configuration.projects import add_entry, check_entry, entry_text, load_projects
from resources.git.mirror import Mirror
from resources.git.program import without_password
from resources.git.working_tree import is_tracked
from resources.history import open_history
from resources.history.decisions.audit_log import log_act

NOT_WRITTEN = 3
"""Exit code: what was found is shown, and nothing was written."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks to be added."""

    url: str
    name: str | None = None
    branch: str | None = None
    wanted: Wanted = field(default_factory=Wanted)
    notify: tuple[str, ...] = ()
    file: Path | None = None
    """Where to write, tracked by Git or not; None is the file of the settings, unless Git tracks that."""
    yes: bool = False

    @property
    def target(self) -> Path:
        return self.file or settings().projects


def add_repository(asked: Request, how: Format) -> None:
    """Show what a repository holds, and write its entry where somebody says yes. Exits with 3 where nobody does."""
    request = _checked(asked)
    is_asking = how is Format.TABLE and not request.yes and sys.stdin.isatty() and sys.stdout.isatty()
    if (request.yes or is_asking) and request.file is None:
        _refuse_tracked(request.target)
    name = str(request.name)
    with _mirror(request.url, name) as (mirror, keep):
        found = discover(mirror, settings().state.checkouts, request.wanted, request.branch)
        entry = _entry(request, found)
        check_entry(request.target, entry)
        if how is Format.TABLE:
            _print_found(found, entry)
        if is_asking:
            request = _ask(request)
            entry = _entry(request, found)
        if request.yes:
            keep()
            add_entry(request.target, entry)
            past = open_history(settings().history_url)
            log_act(past, me(), Act.ADD_PROJECT, str(request.name), str(request.target))
    if how is Format.TABLE:
        _print_end(request)
    else:
        _print_result(request, found, entry, how)
    raise typer.Exit(0 if request.yes else NOT_WRITTEN)


def _checked(asked: Request) -> Request:
    """The request with its name, and a local path as it is from everywhere. Raises ConfigurationError."""
    if fault := fault_of(asked.url):
        raise ConfigurationError(f"This repository is not added: {fault}.")
    url = _from_everywhere(asked.url)
    name = asked.name or name_of(url)
    if not name:
        raise ConfigurationError("No name follows from this address: give the project one by --name.")
    for project in load_projects(asked.target) if asked.target.exists() else ():
        if project.name.replace("_", "-") == name.replace("_", "-"):
            raise ConfigurationError(
                f"{asked.target} has a project {project.name} already, of {excerpt(without_password(project.url), 200)}: change "
                "its entry there, or name another project by --name."
            )
        if asked.name is None and same_repository(project.url, url):
            raise ConfigurationError(
                f"{asked.target} has this repository already, as the project {project.name}: change its entry there, or "
                "name a further project of the same repository by --name."
            )
    return replace(asked, url=url, name=name)


def _from_everywhere(url: str) -> str:
    """The address, a local path as it is from everywhere. Raises ConfigurationError."""
    try:
        return str(Path(url).expanduser().resolve()) if is_local(url) else url
    except (RuntimeError, OSError) as error:
        raise ConfigurationError(f"{excerpt(url, 200)} is no path on this machine: {error}.") from error


def _refuse_tracked(file: Path) -> None:
    if is_tracked(file):
        raise ConfigurationError(
            f"{file} is tracked by Git, and is not written to unasked. Name it by --file {file} to write there all the "
            "same, or keep a file of your own: set INFRAAUDIT_PROJECTS to its path."
        )


@contextmanager
def _mirror(url: str, name: str) -> Iterator[tuple[Mirror, Any]]:
    """A mirror of the repository beside those of projects, and how it becomes that of its own project."""
    state = settings().state
    state.checkouts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state.checkouts, prefix="adding-") as folder:
        mirror = Mirror(url, Path(folder) / "mirror")
        mirror.fetch()

        def keep() -> None:
            # Before the entry is there: nobody else makes a mirror of this name yet.
            state.mirrors.mkdir(parents=True, exist_ok=True)
            if not state.mirror(name).exists():
                os.rename(mirror.path, state.mirror(name))

        yield mirror, keep


def _entry(request: Request, found: Discovery) -> dict[str, Any]:
    selection = found.selection
    paths = {name: list(value) if isinstance(value, tuple) else value for name, value in selection.paths.items()}
    fields_of_entry = {
        "name": request.name,
        "url": request.url,
        "branches": [found.branch],
        "deploy_branch": found.branch,
        "audit_only": bool(selection.missing),
        "paths": paths,
        "notify": list(request.notify),
    }
    return {name: value for name, value in fields_of_entry.items() if value}


def _print_found(found: Discovery, entry: Mapping[str, Any]) -> None:
    table = Table("part")
    for heading in ("path", "what", "used", "remark"):
        table.add_column(heading, overflow="fold")
    for one in found.selection.found:
        table.add_row(one.part, one.path, one.kind, "yes" if one.used else "no", one.remark)
    print_rows([], (), Format.TABLE, table)
    print(f"\n{_summary(found)}\n\n{entry_text(_shown(entry))}")


def _print_result(request: Request, found: Discovery, entry: Mapping[str, Any], how: Format) -> None:
    """What was found and what became of it, for a program: an object, or the rows alone."""
    rows = [asdict(one) for one in found.selection.found]
    if how is Format.CSV:
        print_rows(rows, [each.name for each in fields(Found)], how)
        return
    result = {
        "name": request.name, "url": request.url, "branch": found.branch, "sha": found.sha, "files": found.files,
        "unseen": found.unseen, "found": rows, "only_audited_because": list(found.selection.missing),
        "entry": _shown(entry), "file": str(request.target), "written": request.yes,
    }  # fmt: skip
    print_result(result, how, "")


def _summary(found: Discovery) -> str:
    lines = [f"{found.branch} at {found.sha[:12]} has {counted_files(found.files)}."]
    if found.unseen:
        lines.append(f"{found.unseen} of them were not looked into: too many, too large, or without a readable name.")
    if missing := found.selection.missing:
        lines.append(f"Only audited (every commit is scanned, none is deployed): {'; '.join(missing)}.")
    return "\n".join(lines)


def _shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry for people and logs: an address for notices may hold a token."""
    addresses = [f"{address.partition(':')[0]}:…" for address in entry.get("notify", ())]
    return dict(entry) | ({"notify": addresses} if addresses else {})


def _ask(request: Request) -> Request:
    if not request.notify and not settings().notify:
        given = typer.prompt(
            "Address for notices (webhook or apprise URL; empty for none)", default="", show_default=False
        )
        request = replace(request, notify=(given.strip(),) if given.strip() else ())
    return replace(request, yes=typer.confirm(f"Write this entry to {request.target}?"))


def _print_end(request: Request) -> None:
    if not request.yes:
        print(f"Nothing was written. To write this entry to {request.target}: the same command with --yes.")
        return
    if not request.notify and not settings().notify:
        print("Nobody is notified of it: add notify to its entry, or set INFRAAUDIT_NOTIFY.")
    then = next_command(request.target, "projects", "check", "--project", str(request.name))
    print(f"Added {request.name} to {request.target}. Next: {then}")


def next_command(file: Path, *words: str) -> str:
    """A command on a project of a projects file, with the file where it is another one than that of the settings."""
    written, usual = file.resolve(), settings().projects.resolve()
    variable = [] if written == usual else [f"INFRAAUDIT_PROJECTS={shlex.quote(str(written))}"]
    return " ".join([*variable, "infraaudit", *map(shlex.quote, words)])
