"""`infraaudit triage`: accept findings, call them false positives, assign them, and take that back."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infraaudit_assets.commands.ask import asked_of, command_of
from infraaudit_assets.commands.formats import print_result
from infraaudit_assets.commands.options import AsJson, Form, Format, ProjectName, chosen
from infraaudit_assets.commands.person import me
from infraaudit_assets.commands.projects import find_project
from infraaudit_domain.errors import ConfigurationError
from infraaudit_domain.judging.triage import FOR_GOOD, Action, Ruling, counted_findings, last_day

if TYPE_CHECKING:
    from infraaudit.triage.deciding import Decided

_HELP = "Decide on findings: accept them for a time, call them false positives, assign them, or take that back."
app = typer.Typer(help=_HELP, no_args_is_help=True)
app.command("list")(command_of("triage list"))

Ids = Annotated[list[str] | None, typer.Argument(help="Ids of findings, or their beginnings; or give a filter.")]
Reason = Annotated[str, typer.Option(help="Why; whoever asks later reads this.")]
Owner = Annotated[str, typer.Option(help="Who answers for it.")]
Severity = Annotated[str, typer.Option(help="All with this severity.")]
Check = Annotated[str, typer.Option(help="All of this check, for example CKV_AWS_18.")]
PathOf = Annotated[str, typer.Option("--path", help="All in this file or folder, or in what a pattern matches.")]
Status = Annotated[str, typer.Option(help="All with this status: open (by default, but for undo), suppressed, any.")]
Part = Annotated[str, typer.Option("--q", help="All where this is part of the check, the file or the resource.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Record nothing: say how many, and show the first.")]


@app.callback()
def triage() -> None:
    """Decide on findings: accept them for a time, call them false positives, assign them, or take that back."""


@app.command("accept")
def accept(
    project: ProjectName,
    reason: Reason,
    owner: Owner,
    ids: Ids = None,
    expires: Annotated[str, typer.Option(help="The last day on which it counts, as 2027-01-31.")] = "",
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="In place of --expires: for so many days.")] = None,
    severity: Severity = "",
    check: Check = "",
    path: PathOf = "",
    status: Status = "",
    q: Part = "",
    dry_run: DryRun = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Accept findings until a day: until then they count as suppressed, for the gate and in every answer.

    It is what an entry of the project's suppressions does. For example:
    infraaudit triage accept 3f2a91c04d --project shop --reason "behind the VPN" --owner ops --days 90
    """  # fmt: skip
    ruling = Ruling(Action.ACCEPT, reason, owner, _last_day(expires, days))
    _decide(project, ids, ruling, _filter(severity, check, path, status, q), dry_run, chosen(form, as_json))


@app.command("false-positive")
def false_positive(
    project: ProjectName,
    reason: Reason,
    ids: Ids = None,
    severity: Severity = "",
    check: Check = "",
    path: PathOf = "",
    status: Status = "",
    q: Part = "",
    dry_run: DryRun = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Call findings false positives: they count as suppressed until that is undone."""  # fmt: skip
    ruling = Ruling(Action.FALSE_POSITIVE, reason)
    _decide(project, ids, ruling, _filter(severity, check, path, status, q), dry_run, chosen(form, as_json))


@app.command("assign")
def assign(
    project: ProjectName,
    owner: Owner,
    ids: Ids = None,
    reason: Reason = "",
    severity: Severity = "",
    check: Check = "",
    path: PathOf = "",
    status: Status = "",
    q: Part = "",
    dry_run: DryRun = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Assign findings to somebody; they count as before."""  # fmt: skip
    ruling = Ruling(Action.ASSIGN, reason, owner)
    _decide(project, ids, ruling, _filter(severity, check, path, status, q), dry_run, chosen(form, as_json))


@app.command("undo")
def undo(
    project: ProjectName,
    ids: Ids = None,
    reason: Reason = "",
    severity: Severity = "",
    check: Check = "",
    path: PathOf = "",
    status: Status = "",
    q: Part = "",
    dry_run: DryRun = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Take back what hides findings, or, where nothing does, to whom they were assigned; the past keeps what counted then."""  # fmt: skip
    ruling = Ruling(Action.UNDO, reason)
    _decide(project, ids, ruling, _filter(severity, check, path, status, q), dry_run, chosen(form, as_json))


@app.command("export")
def export(
    project: ProjectName,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output without.")] = None,
) -> None:
    """Write what stands as a file of suppressions, to keep in Git; `import` takes it in again."""
    from infraaudit.triage.exchange import exported_decisions
    from infraaudit_assets.commands.rated import rated_history
    from resources.machine.atomic_file import READABLE, write_atomically

    text = exported_decisions(rated_history(), find_project(project).name)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_atomically(output.resolve(), text.encode(), READABLE)


@app.command("import")
def take_in(
    project: ProjectName,
    file: Annotated[Path, typer.Argument(help="A file of suppressions.")],
    dry_run: DryRun = False,
    form: Form = Format.TABLE,
    as_json: AsJson = False,
) -> None:
    """Record the decisions of a file on single findings; what is known already stays. Exits with 1 where a finding is unknown."""
    from infraaudit.triage import exchange

    asked = asked_of(find_project(project), "findings", {})
    done = exchange.take_in(asked.history, asked.line, file, me(), datetime.now(UTC), dry_run)
    would = "would be recorded" if dry_run else "recorded"
    said = (
        f"{done.recorded} {would}, {done.known} known already, {done.unknown} of findings that {project} never had; "
        f"{done.patterns} entries with patterns stay in the file."
    )
    print_result(asdict(done) | {"dry_run": dry_run}, chosen(form, as_json), said)
    raise typer.Exit(1 if done.unknown else 0)


def _filter(severity: str, check: str, path: str, status: str, q: str) -> dict[str, str]:
    given = {"severity": severity, "check": check, "path": path, "status": status, "q": q}
    return {name: value for name, value in given.items() if value}


def _last_day(expires: str, days: int | None) -> date:
    if bool(expires) == (days is not None):
        raise ConfigurationError("Give --expires or --days: until when it is accepted.")
    if days is not None:
        return last_day(datetime.now(UTC).date(), days)
    try:
        return date.fromisoformat(expires)
    except ValueError as error:
        raise ConfigurationError(f"--expires is a day, like 2027-01-31; it cannot be {expires!r}.") from error


def _decide(
    project: str, ids: Sequence[str] | None, ruling: Ruling, wanted: dict[str, str], dry_run: bool, how: Format
) -> None:
    from infraaudit.triage.deciding import decide

    if ids and wanted:
        raise ConfigurationError("Give ids or a filter, not both.")
    asked = asked_of(find_project(project), "findings", wanted)
    done = decide(asked, ids or (), ruling, me(), dry_run)
    print_result(asdict(done) | {"dry_run": dry_run}, how, _sentence(done, ruling, dry_run))


def _sentence(done: "Decided", ruling: Ruling, dry_run: bool) -> str:
    until = f", until {ruling.expires}" if ruling.expires != FOR_GOOD else ""
    would = "would be recorded" if dry_run else "recorded"
    left = f" {done.unchanged} stay as they are." if done.unchanged else ""
    lines = [f"{done.action}: {would} for {counted_findings(done.findings)}{until}.{left}"]
    lines += [f"  {one['severity']:8} {one['id'][:12]} {one['check_id']} {one['file_path']}" for one in done.first]
    if done.findings > len(done.first):
        lines.append(f"  and {done.findings - len(done.first)} more")
    return "\n".join(lines)
