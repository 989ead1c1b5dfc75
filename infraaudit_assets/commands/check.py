"""`infraaudit check`: what a working tree's commit would get, before there is one.

It needs no installation: what it keeps is a cache, in the user's cache folder. Deliberately absent: everything that
needs an engine, a cluster, the network, or what is live.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.formats import print_result, print_rows
from infraaudit_assets.commands.options import AsJson, Form, Format, chosen
from infraaudit_assets.settings import Judges, judges_of, settings
from infraaudit_domain.errors import ConfigurationError, excerpt
from infraaudit_domain.projects import Project
from infraaudit_domain.reporting.order import SEVERITY_RANK
from infraaudit_domain.reporting.sarif import repository_uri
from infraaudit_domain.scans.findings import Finding
from resources.machine.state_folder import StateFolder

if TYPE_CHECKING:
    from infraaudit.working_trees import Foreseen
    from resources.checkov import CheckovRunner
    from resources.git.working_tree import WorkingTree
    from resources.history import History

_COLUMNS = ("severity", "check_id", "check_name", "file_path", "line_start", "line_end", "resource", "framework")
_MOST_LISTED, _LONGEST = 50, 1000
_KEPT = 3
"""Commits that a working tree was compared with lately, whose scans are kept."""


def check(
    path: Annotated[Path, typer.Argument(help="A checkout, or a folder in one.")] = Path(),
    project: Annotated[
        str | None,
        typer.Option(
            help="Its project in the projects file; by default the one with the checkout's origin, else none."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="What it is compared with, where that is not the deploy branch: a branch, tag or SHA."),
    ] = None,
    gate: Annotated[Path | None, typer.Option(help="The policy to judge by; configs/gate.yaml by default.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Also write the findings here, as SARIF.")] = None,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Show what the commit of a working tree would get: scan, gate, manifests. Exits with 1 where it would be stopped.

    Everything that Git does not ignore counts, committed or not, against the merge base with the deploy branch, as one
    commit. Nothing of the repository is changed, and nothing is built, tested or deployed. It works offline. The first
    check of a machine starts Checkov, which takes seconds; it is kept for the next ones (INFRAAUDIT_WARM_MINUTES).

    As a hook: infraaudit check || exit 1, in .git/hooks/pre-push; docs/check.md has it for pre-commit, GitHub, GitLab and
    Jenkins.
    """
    from infraaudit.working_trees import foresee
    from resources.git.working_tree import deploy_tip, merge_base, snapshot, working_tree
    from resources.machine.locks import locked

    tree = working_tree(path)
    found = _project_of(tree, project)
    tip = deploy_tip(tree, found.deploy_branch, against)
    base = merge_base(tree, tip) if tip else None
    state = StateFolder(_cache() / "infraaudit")
    state.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    of_tree = state.path / "working-trees" / hashlib.sha256(os.fsencode(tree.folder)).hexdigest()[:16]
    judges = judges_of(tree.folder)
    gate_file = gate.resolve() if gate else judges.gate
    with locked(of_tree / "lock"):
        folder = _kept(of_tree / (base or "no-commit"))
        commit = snapshot(tree, found.deploy_branch, base, folder / "repository.git")
        with _history(folder / "history.db") as past:
            foreseen = foresee(commit, found, past, partial(_scanner, state, judges, past), state.checkouts, gate_file)
    if sarif is not None:
        _write_sarif(sarif, found, foreseen, gate_file.parent, judges)
    _print(foreseen, base, found, gate_file, chosen(form, as_json))
    raise typer.Exit(0 if foreseen.passes else 1)


def _project_of(tree: "WorkingTree", name: str | None) -> Project:
    """The named project, the one whose repository this is, or one with the layout that needs no configuration."""
    from infraaudit_assets.commands.projects import find_project
    from resources.configuration.projects import load_projects

    if name is not None:
        return find_project(name)
    here = {_address(url) for url in (tree.origin, str(tree.folder)) if url}
    unlisted = Project(tree.folder.name, tree.origin or str(tree.folder))
    listed, is_given = settings().projects, "projects" in settings().model_fields_set
    if not is_given and listed.resolve().is_relative_to(tree.folder):  # A change cannot bring its own environments.
        return unlisted
    try:
        found = next((one for one in load_projects(listed) if _address(one.url) in here), unlisted)
    except ConfigurationError:
        if is_given:
            raise
        return unlisted  # None is needed here, and a file of that name may be another program's.
    if found.fault:
        raise ConfigurationError(found.fault)
    return found


def _address(url: str) -> str:
    return repository_uri(url).rstrip("/").removesuffix(".git")


def _cache() -> Path:
    """https://specifications.freedesktop.org/basedir-spec"""
    given = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return given if given.is_absolute() else Path.home() / ".cache"


def _kept(folder: Path) -> Path:
    """The folder, made where it is missing: what is kept of a working tree on one base; what was kept on older ones is deleted."""
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    others = sorted((one for one in folder.parent.iterdir() if one.is_dir()), key=lambda one: -one.stat().st_mtime)
    for old in others[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


@contextmanager
def _history(file: Path) -> Iterator["History"]:
    from resources.history import History

    history = History(f"sqlite:///{file}")
    history.migrate()
    try:
        yield history
    finally:
        history.close()


def _scanner(state: StateFolder, judges: Judges, past: "History") -> "CheckovRunner":
    from resources.checkov import CheckovRunner
    from resources.checkov.parent import Parent, SharedParent
    from resources.configuration.severities import read_severities

    minutes = settings().warm_minutes
    parent = partial(SharedParent, idle_seconds=60 * minutes) if minutes else Parent
    severities = read_severities(judges.severities, judges.checks)
    return CheckovRunner(state.scans, severities, reuse=past.framework_scan, parent=parent)


def _write_sarif(file: Path, project: Project, foreseen: "Foreseen", configs: Path, judges: Judges) -> None:
    from infraaudit.questions.export import Exchange, exported
    from resources.configuration.checks import read_remedies
    from resources.configuration.suppressions import read_suppressions

    suppressions, remedies = read_suppressions(configs, project.name), read_remedies(judges.remedies, judges.checks)
    day = datetime.now(UTC).date()
    text = exported(Exchange.SARIF, project.name, project.url, foreseen.scan, suppressions, day, remedies)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}. Name another file by --sarif."
        ) from error


def _print(foreseen: "Foreseen", base: str | None, project: Project, gate_file: Path, how: Format) -> None:
    changes, open_now = foreseen.counted.changes, sum(f.is_open for f in foreseen.counted.scan.findings)
    new = sorted(
        (*changes.new, *changes.perhaps_new), key=lambda f: (SEVERITY_RANK[f.severity], f.file_path, f.line_start)
    )
    rows = [{name: getattr(finding, name) for name in _COLUMNS} for finding in new]
    if how is Format.CSV:
        print_rows(rows, _COLUMNS, how)
        return
    result = {
        "passes": foreseen.passes,
        "project": project.name,
        "base": base,
        "policy": str(gate_file),
        "parts": [asdict(part) for part in foreseen.parts],
        "open": open_now,
        "fixed": len(changes.fixed),
        "new": rows,
    }
    print_result(
        result,
        how,
        f"{_parts(foreseen)}{_findings(new)}{_sentence(foreseen, base, new, open_now)}\nJudged as {project.name}, by {gate_file}.",
    )


def _parts(foreseen: "Foreseen") -> str:
    width = max(len(part.part) for part in foreseen.parts)
    lines = [f"{part.part:{width}}  {part.state:8}  {excerpt(part.reason, _LONGEST)}" for part in foreseen.parts]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _findings(new: Sequence[Finding]) -> str:
    lines = [
        f"  {f.severity:8} {f.file_path}:{f.line_start}  {f.check_id}  {excerpt(f.resource, 100)}\n           {f.check_name}"
        for f in new[:_MOST_LISTED]
    ]
    if len(new) > _MOST_LISTED:
        lines.append(f"  and {len(new) - _MOST_LISTED} more; --json has them all")
    return "".join(f"{line}\n" for line in ("\nNew findings, the most severe first:", *lines)) + "\n" if new else "\n"


def _sentence(foreseen: "Foreseen", base: str | None, new: Sequence[Finding], open_now: int) -> str:
    changes = foreseen.counted.changes
    against = f"against {base[:12]}" if base else "in a repository without a commit"
    counts = f"{open_now} open findings, {len(new)} of them new and {len(changes.fixed)} fixed {against}"
    if foreseen.passes:
        return f"It would pass: {counts}."
    refused = ", ".join(part.part for part in foreseen.parts if part.state == "refused")
    return f"It would be stopped ({refused}): {counts}."
