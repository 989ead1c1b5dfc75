"""Options that a command has beside those of its question, and what they do before the question is answered."""

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.lifecycles.narrowing import MOST_SCANS
from infraaudit_domain.projects import Project

if TYPE_CHECKING:
    from infraaudit.questions.asked import Asked
    from infraaudit.scans.narrowing import Narrowed
    from infraaudit.scans.unknown_events import UnknownEvent


def keyword(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    """A parameter of a command, from which typer makes an option or an argument."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


@dataclass(frozen=True, slots=True)
class Extra:
    """``prepare`` gets the project, the question as asked, what is closed once it is answered, and the options' values.

    It returns what to ask then.
    """

    options: tuple[inspect.Parameter, ...]
    prepare: Callable[..., "Asked"]


_NARROW = typer.Option("--narrow", help="First scan by bisection what is needed to name the commits of FINDING.")
_MOST = typer.Option("--max-scans", min=1, help="Of --narrow: scan no more commits than these.")


def _narrowed(project: Project, asked: "Asked", _: ExitStack, narrow: bool, max_scans: int) -> "Asked":
    if not narrow:
        return asked
    if not asked.text("finding"):
        raise ConfigurationError("--narrow needs the id of a finding: infraaudit blame FINDING --narrow.")
    from infraaudit.scans.lifecycles import Line
    from infraaudit.scans.unknown_events import one_finding
    from infraaudit_assets.commands.person import me
    from infraaudit_domain.judging.audit_log import Act
    from resources.history.decisions.audit_log import log_act

    assert isinstance(asked.line, Line)
    finding = one_finding(asked.line, asked.text("finding"))
    log_act(asked.history, me(), Act.NARROW, project.name, finding)
    _say(_narrow(asked.line, project, finding, max_scans))
    # A life is named after the commit that began it, which may be another one now.
    return replace(asked, given={**asked.given, "finding": finding})


def _narrow(line: Any, project: Project, finding: str, most: int) -> "Narrowed":
    from infraaudit.scans.narrowing import narrow
    from infraaudit_assets.commands.progress import progress
    from infraaudit_assets.commands.scan import scanner_for

    with progress() as bar:
        task = bar.add_task("narrowing", total=None)

        def report(event: "UnknownEvent") -> None:
            since = f"after {event.after[:12]}, " if event.after else ""
            message = f"{event.event} {since}by {event.commit[:12]}: scanning {(event.next or '')[:12]}"
            bar.update(task, advance=1, description=message)

        try:
            return narrow(line, project, finding, lambda: scanner_for(line.history), most, report)
        except KeyboardInterrupt:
            print("Interrupted: what was scanned is kept; the same command resumes.", file=sys.stderr)
            raise typer.Exit(130) from None


def _say(done: "Narrowed") -> None:
    """On standard error: the rows on standard output are those of the question, in every format."""
    again = f", and {done.cross_scans} more to know whose doing changes were" if done.cross_scans else ""
    print(f"narrowed with {done.scans} scan{'' if done.scans == 1 else 's'}{again}", file=sys.stderr)
    for event in done.left:
        reason = event.reason or f"--max-scans was reached; the next is {event.next}"
        print(f"{event.event} by {event.commit[:12]} is not narrowed further: {reason}", file=sys.stderr)


_RULE = typer.Option("--rule", help="File of a rule of your own: one of Checkov's YAML policies, in place of --check.")
_LIVE = typer.Option("--max-scans", min=0, help="Scan no more commits than these; the others are unknown.")


def _with_live_scans(
    project: Project, asked: "Asked", until: ExitStack, rule: Path | None, max_scans: int | None
) -> "Asked":
    from infraaudit_assets.commands.exposed import with_live_scans

    return with_live_scans(project, asked, until, rule, max_scans)


_GATE = typer.Option("--file", help="File of the gate to play, written as gate.yaml; it takes the place of --gate.")


def _with_gate(_project: Project, asked: "Asked", _until: ExitStack, file: Path | None) -> "Asked":
    if file is None:
        return asked
    if asked.text("gate"):
        raise ConfigurationError("--gate and --file exclude each other; give one of them.")
    from resources.configuration.document import read_text
    from resources.configuration.gate import read_gate

    read_gate(file)
    return replace(asked, given={**asked.given, "gate": read_text(file, "gate policy")})


_PICTURE = typer.Option("--picture", help="Draw the candidates into this PNG file, too.")


def _with_picture(project: Project, asked: "Asked", _until: ExitStack, picture: Path | None) -> "Asked":
    if picture is None:
        return asked
    from infraaudit.pages.audit.exposure_picture import draw_exposures
    from infraaudit.pages.audit.png import png_of
    from infraaudit.questions.replay.least_exposure import exposures
    from resources.machine.atomic_file import READABLE, write_atomically

    title = f"{project.name}: ways back in {asked.environment()}"
    drawn = draw_exposures(*exposures(asked), link=lambda _: "")
    if drawn:
        write_atomically(picture.resolve(), png_of(drawn, title), READABLE)
    else:
        print(f"No picture: of no way back in {asked.environment()} is it known what it would return.", file=sys.stderr)
    return asked


EXTRAS: Mapping[str, Extra] = {
    "least-exposure": Extra((keyword("picture", Annotated[Path | None, _PICTURE], None),), _with_picture),
    "exposed": Extra(
        (
            keyword("rule", Annotated[Path | None, _RULE], None),
            keyword("max_scans", Annotated[int | None, _LIVE], None),
        ),
        _with_live_scans,
    ),
    "gate replay": Extra((keyword("file", Annotated[Path | None, _GATE], None),), _with_gate),
    "blame": Extra(
        (keyword("narrow", Annotated[bool, _NARROW], False), keyword("max_scans", Annotated[int, _MOST], MOST_SCANS)),
        _narrowed,
    ),
}
