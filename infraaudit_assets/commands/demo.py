"""`infraaudit demo`: every commit of a sample repository through the real pipeline."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from infraaudit_assets.commands.example import write_example
from infraaudit_assets.commands.progress import output_of_steps, progress
from infraaudit_assets.commands.warm import warm_or_here
from infraaudit_assets.dagster_home import prepare_dagster_home
from infraaudit_assets.settings import Settings, set_up_scripts, settings
from infraaudit_domain.delivery.builds import Isolation
from infraaudit_domain.errors import EngineError, excerpt
from resources.engine.box.requirements import gives, missing

_PROJECT = "infraauditai"
_BASE_IMAGE = "infraaudit/base:bookworm"


def demo(
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's log of every step.")] = False,
) -> None:
    """Take a repository with a history through the pipeline: each commit is built, tested, scanned and deployed.

    Starts afresh each time; its state is in <home>/demo, its result in <home>/demo/summary.json.
    """
    home = demo_home()
    base_image = _prepare_machine(settings())
    lacking = missing()
    _start_afresh(home, base_image, Isolation.NONE if lacking else Isolation.BOX)
    enter_demo(home)
    print(_where_builds_run(lacking))
    prepare_dagster_home(settings())
    raise typer.Exit(warm_or_here(settings(), run_all, str(home), verbose))


def _where_builds_run(lacking: list[str]) -> str:
    if lacking:
        return f"Builds run on the engine itself; for a box of their own this machine lacks {'; '.join(lacking)}."
    return f"Builds run in a box of their own: {gives()}."


def demo_home() -> Path:
    """The demo's own state folder."""
    return settings().state.demo


def enter_demo(home: Path) -> None:
    """Point this process and its children to the demo's state, projects and reports."""
    os.environ |= {"INFRAAUDIT_HOME": str(home), "INFRAAUDIT_PROJECTS": str(home / "projects.yaml")}
    os.environ.setdefault("INFRAAUDIT_REPORTS", str(home / "reports"))
    settings.cache_clear()


def _prepare_machine(current: Settings) -> str | None:
    """Have the set-up script give this machine an engine and a base image, and return the one to build from.

    Without an engine the audit half still works.
    """
    if current.engine == "none":
        return None
    subprocess.run(
        [str(set_up_scripts() / "install-parts.sh"), "engine", "box", "base-image"], stdin=subprocess.DEVNULL
    )
    return _BASE_IMAGE if current.base_image is None and _has_image(_BASE_IMAGE) else None


def _has_image(reference: str) -> bool:
    from resources.engine import detect_engine

    try:
        return detect_engine().find_image(reference) is not None
    except EngineError:
        return False


def _start_afresh(home: Path, base_image: str | None, isolation: Isolation) -> None:
    """Make the demo's own state folder, repository and projects file."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    write_example(home / "repository.git")
    entry: dict[str, Any] = {
        "build_isolation": isolation,
        "name": _PROJECT,
        "url": str(home / "repository.git"),
        "default": True,
        "first_commits": 0,
    }
    if base_image:
        entry["build_args"] = {"BASE_IMAGE": base_image}
    (home / "projects.yaml").write_text(json.dumps({"projects": [entry]}, indent=2))


def run_all(folder: str, verbose: bool) -> int:
    """Run every commit of the demo in this process and print the result; the exit code."""
    from infraaudit.questions.overview import overview
    from infraaudit_assets.commands.projects import find_project, mirror_of
    from infraaudit_assets.commands.summary import commit_row, print_summary
    from infraaudit_assets.runs import dagster_instance, run_commit
    from resources.dagster.warm_imports import import_heavy
    from resources.history import open_history

    import_heavy()  # Once, in place of in steps of every run.
    current, home, project = settings(), Path(folder), find_project(_PROJECT)
    mirror = mirror_of(project)
    mirror.fetch()
    shas = mirror.first_parents(mirror.branches()[project.deploy_branch])
    runs: dict[str, str] = {}
    with dagster_instance(current) as instance, progress() as shown:
        task = shown.add_task("starting", total=len(shas))
        for sha in shas:
            shown.update(task, description=f"{sha[:7]} {excerpt(mirror.commit(sha).subject)[:44]}")
            with output_of_steps(home / "demo.log", verbose):
                runs[sha] = run_commit(instance, project, sha).run_id
            shown.advance(task)
        shown.update(task, description="done")
    past = open_history(current.history_url)
    rows = overview(past, mirror, project.name, project.environment.name, shas)
    live = past.live(project.name, project.environment.name)
    summary = {
        "project": project.name,
        "commits": [commit_row(row, runs[row.sha]) for row in rows],
        "live": {"sha": live.sha, "url": live.url, "healthy": _is_healthy(live.url)} if live else None,
    }
    (home / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print_summary(rows)
    for stage, reason in dict.fromkeys((s, r) for row in rows for s, r in row.reasons.items() if row.image is None):
        print(f"{stage} was skipped: {reason}")
    if live:
        print(f"Live: {live.sha[:7]} at {live.url}")
    print(f"Summary: {_shown(home / 'summary.json')}")
    print("Look at it: infraaudit up --demo, then open http://127.0.0.1:3000")
    return 0


def _is_healthy(url: str | None) -> bool:
    from resources.prometheus import target_is_up

    return url is not None and target_is_up(url, "/healthz") is None


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
