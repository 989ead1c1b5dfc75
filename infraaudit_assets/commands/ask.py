"""The commands that ask the history, each built from its questions in the table: options, help, columns and answer.

Deliberately absent: how a command prints what its table alone cannot say (renderings.py).
"""

import inspect
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infraaudit.questions.parameters import parsed
from infraaudit.questions.question import Question, Schema
from infraaudit.questions.table import asked_as, of_command
from infraaudit_assets.commands.extras import EXTRAS, keyword
from infraaudit_assets.commands.options import AsJson, Form, Format, Limit, ProjectName, chosen
from infraaudit_assets.commands.projects import find_project, mirror_of
from infraaudit_assets.commands.rated import rated_history
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.projects import Project

if TYPE_CHECKING:
    from infraaudit.questions.asked import Asked, ProjectRules
    from resources.history.stored_line import StoredLine


def command_of(name: str) -> Callable[..., None]:
    """The function of a command, with a signature from which typer makes its options."""
    questions, own = of_command(name), EXTRAS.get(name)

    def ask(**given: Any) -> None:
        extra = {each.name: given.pop(each.name) for each in own.options} if own else {}
        of = given.pop("of", questions[0].of)
        question = next(each for each in questions if each.of == of)
        output, limit = given.pop("output", None), given.pop("limit", None)
        how = chosen(given.pop("form", Format.TABLE), given.pop("as_json", False))
        project = find_project(given.pop("project"))
        asked = _asked(project, question, given)
        with ExitStack() as until:
            if own:
                asked = own.prepare(project, asked, until, **extra)
            if question.columns:
                _print_rows(question, asked, how, limit)
            else:
                _write_document(asked, output)

    parameters = [*_parameters(questions), *(own.options if own else ())]
    ask.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    ask.__annotations__ = {each.name: each.annotation for each in parameters}
    ask.__doc__ = "\n\n".join(filter(None, (questions[0].help, questions[0].details)))
    return ask


def _parameters(questions: tuple[Question, ...]) -> list[inspect.Parameter]:
    first = questions[0]
    given = [keyword("project", ProjectName)]
    if "{fingerprint}" in first.path:
        given.append(keyword("fingerprint", Annotated[str, typer.Argument(help="The beginning of a finding's id.")]))
    if len(questions) > 1:
        names = [each.of for each in questions]
        option = typer.Option("--of", metavar=_choices(names), help="What to list.", callback=_one_of(names))
        given.append(keyword("of", Annotated[str, option], names[0]))
    schemas = {name: schema for each in questions for name, schema in each.parameters.items()}
    given += [_option(name, schema, first) for name, schema in schemas.items()]
    if not first.columns:
        file = typer.Option(help="File to write; standard output without.")
        return [*given, keyword("output", Annotated[Path | None, file], None)]
    given.append(keyword("limit", Limit, None))
    return [*given, keyword("form", Form, Format.TABLE), keyword("as_json", AsJson, False)]


def _option(name: str, schema: Schema, question: Question) -> inspect.Parameter:
    """An option, or an argument, that has the type, the limits, the words and the default of a parameter."""
    default = question.command_defaults.get(name, schema.get("default"))
    about: dict[str, Any] = {"help": schema["description"]}
    if schema["type"] in ("number", "integer"):
        kind: Any = float if schema["type"] == "number" else int
        about |= {"min": schema["minimum"], "max": schema["maximum"]}
    elif schema["type"] == "boolean":
        return keyword(name, Annotated[bool, typer.Option(_flag(name), **about)], default)
    else:
        kind, default = str | None, default or None
        about |= {"metavar": _choices(schema["enum"])} if "enum" in schema else {}
    if name in question.positional:
        return keyword(name, Annotated[kind, typer.Argument(**about)], default)
    return keyword(name, Annotated[kind, typer.Option(_flag(name), **about)], default)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _choices(values: list[str]) -> str:
    return f"[{'|'.join(filter(None, values))}]"


def _one_of(names: list[str]) -> Callable[[str], str]:
    def check(given: str) -> str:
        if given not in names:
            raise typer.BadParameter(f"it is one of {', '.join(names)}.")
        return given

    return check


def _asked(project: Project, question: Question, given: dict[str, Any]) -> "Asked":
    from infraaudit.questions.asked import Asked

    values = {name: _value(name, question.parameters[name], value) if name in question.parameters else value
              for name, value in given.items()}  # fmt: skip
    line = _line(project, question, values.get("branch", ""))
    asked = Asked(line, rules_of(project), datetime.now(UTC), values)
    _require_environment(project, asked)
    return asked


def asked_of(project: Project, question: str, given: dict[str, Any]) -> "Asked":
    """A question as a command asks it that is none itself. Raises ConfigurationError for a wrong value."""
    return _asked(project, asked_as(question), given)


def _value(name: str, schema: Schema, given: Any) -> Any:
    if given is None or not isinstance(given, str):
        return given
    if schema.get("format") == "revision":
        return given
    try:
        return parsed(_flag(name), schema, given.lower() if "enum" in schema else given)
    except ValueError as error:
        raise ConfigurationError(f"{error}; it cannot be {given!r}.") from error


def _line(project: Project, question: Question, branch: str | None) -> "StoredLine":
    from infraaudit.scans.lifecycles import Line
    from resources.history.stored_line import StoredLine

    history = rated_history()
    if not question.needs_git:
        return StoredLine(history, project.name, project.deploy_branch, [])
    mirror = mirror_of(project)
    if not mirror.path.exists():
        mirror.fetch()
    return Line(history, mirror, project.name, branch or project.deploy_branch).follow()


def rules_of(project: Project) -> "ProjectRules":
    """What the configuration says of a project, as it is now."""
    from infraaudit.accepted import accepted_by
    from infraaudit.questions.asked import ProjectRules
    from resources.configuration.checks import read_remedies
    from resources.configuration.gate import read_gate

    current = settings()
    accepted = accepted_by(rated_history(current), current.shipped, project.name)
    gate = read_gate(current.gate_file)
    return ProjectRules(
        environment=project.environment.name,
        suppressions=accepted.suppressions,
        accepted_gaps=accepted.gaps,
        accepted_hidings=accepted.hidings,
        gate=gate,
        max_age_days=gate.max_age_days,
        mirror=mirror_of(project),
        url=project.url,
        checkov_config=project.paths.checkov_config,
        remedies=read_remedies(current.remedies, current.checks_file),
    )


def _require_environment(project: Project, asked: "Asked") -> None:
    given, configured = asked.text("environment"), [each.name for each in project.environments]
    if given and given not in configured and not asked.environments():
        raise ConfigurationError(
            f"{project.name} was never deployed to {given}, and has no such environment; it has: {', '.join(configured)}."
        )


def _print_rows(question: Question, asked: "Asked", how: Format, limit: int | None) -> None:
    from infraaudit.questions.answers import answer, no_data
    from infraaudit.questions.marks import mark
    from infraaudit_assets.commands.formats import print_no_data, show
    from infraaudit_assets.commands.renderings import NOTES, TABLES, summary

    every_row = answer(question, asked)[0]
    if provisional := mark(question, asked.line):
        print(provisional, file=sys.stderr)
    if missing := no_data(question, asked):
        if question.none_is_an_answer and how is Format.JSON:
            show(question, every_row, how)
            print(missing, file=sys.stderr)
        else:
            print_no_data(question.names, how, missing)
        return
    rows = every_row[:limit]
    if how is Format.TABLE and (said := summary(question, every_row)):
        print(said)
    if how is Format.TABLE and (print_it := TABLES.get(question.name)):
        print_it(rows)
        return
    note = NOTES.get(question.name)
    show(question, rows, how, note(asked, every_row) if note else "", len(every_row))


def _write_document(asked: "Asked", output: Path | None) -> None:
    from infraaudit.questions.answers import export
    from resources.machine.atomic_file import READABLE, write_atomically

    text = export(asked)
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(output, text.encode("utf-8", "surrogateescape"), READABLE)
