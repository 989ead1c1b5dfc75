"""What a question's table for people has beside its rows: a note below, or a form of its own.

A note is of every row of the answer, also where the table has only the first ones.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.table import Table

from infraaudit.questions.asked import Asked
from infraaudit.questions.parameters import ANY
from infraaudit.questions.question import Question
from infraaudit.questions.table import asked_as
from infraaudit_assets.commands.formats import print_rows
from infraaudit_assets.commands.options import Format
from infraaudit_assets.settings import settings
from infraaudit_domain.errors import excerpt
from infraaudit_domain.judging.gate_replay import Replayed
from infraaudit_domain.reporting.columns import HIDDEN_IN_CODE
from infraaudit_domain.reporting.order import tally
from infraaudit_domain.scans.findings import Severity
from resources.configuration.suppressions import suppressions_path

Rows = Sequence[Mapping[str, Any]]
_UNSHOWN = (
    "cannot be read from the mirror, or its secrets are not known and could not be masked: they were not scanned, or their"
    " findings were pruned; then scan the commit again"
)


def _of_compare(asked: Asked, _: Rows) -> str:
    before = asked.commit("before") if asked.text("before") else asked.live()
    return f"{before[:8]} against {asked.commit('after')[:8]}"


def _of_exposure(asked: Asked, _: Rows) -> str:
    return f"in {asked.environment()}; hours are those on which a commit with the finding was live"


def _of_live_commits(asked: Asked, rows: Rows) -> str:
    unscanned, untested = (sum(row[name] for row in rows) for name in ("unscanned_hours", "untested_hours"))
    return f"{asked.environment()}: {unscanned:.1f} hours without a complete scan, {untested:.1f} without green tests"


def _of_sla(asked: Asked, _: Rows) -> str:
    limits = "" if asked.rules.max_age_days else "; no limits are set: max_age_days in gate.yaml"
    return f"in days; ≤7 to >90 count open findings by age{limits}"


def _of_suppressions(asked: Asked, _: Rows) -> str:
    return f"live is {asked.environment()}; the file is {suppressions_path(settings().shipped, asked.project)}"


def _print_dora(rows: Rows) -> None:
    titles = asked_as("dora").headings
    names = ("environment", "deployed", "per_day", "lead_seconds", "failure_ratio", "restore_seconds")
    table = Table(*(titles[name] for name in names))
    for row in rows:
        rate = "—" if row["failure_ratio"] is None else f"{row['failure_ratio']:.0%}"
        deployed = f"{row['deployed']} of {row['attempts']}"
        times = [_length(row[name]) for name in ("lead_seconds", "restore_seconds")]
        table.add_row(row["environment"], deployed, f"{row['per_day']:.2f}", times[0], rate, times[1])
    print_rows(rows, (), Format.TABLE, table)


def _print_help(rows: Rows) -> None:
    for row in rows:
        lines = f"{row['line_start']}-{row['line_end']}"
        print(f"{row['severity']}: {row['check_id']} {excerpt(row['check_name'])}")
        print(f"{row['file_path']}:{lines}  {excerpt(row['resource'])}")
        print(f"{row['status']}; as it was last seen, in {row['commit'][:12]}")
        code = row["code"] or f"(no code: {row['file_path']} of this commit {_UNSHOWN})"
        print(f"\n{code}\n")
        about = {"remedy": row["remedy"], "read": row["guideline"], "owner": row["owner"], "its life": row["life"],
                 "accept in the code": row["accept_in_code"], f"or in {row['accept_file']}": row["accept_in_file"]}  # fmt: skip
        for name, said in about.items():
            if said:
                print(f"{name}:{_beside(said)}")


def _beside(text: str) -> str:
    """A text behind its name, or below it where it is more than a line."""
    return f" {text}" if "\n" not in text else "\n" + "\n".join(f"  {line}" for line in text.split("\n"))


def _length(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _of_replay(asked: Asked, rows: Rows) -> str:
    wanted = asked.text("verdict") or Replayed.STOPPED
    if wanted not in (Replayed.STOPPED, ANY):
        return f"in {asked.environment()}: {len(rows)} {wanted}"
    stopped = [row for row in rows if row["verdict"] == Replayed.STOPPED]
    saved = Counter[str]()
    for row in stopped:
        saved.update({name.value: row[f"saved_{name.value}"] or 0.0 for name in Severity})
    hours = ", ".join(f"{number:,.1f} {name}" for name, number in saved.items() if number) or "none"
    nothing, unknown = sum(row["for_nothing"] is True for row in stopped), sum(row["saved"] is None for row in stopped)
    added = sum(row["added"] or 0.0 for row in stopped)
    return (
        f"in {asked.environment()}: {len(stopped)} would have been stopped; finding-hours saved: {hours}; added: {added:,.1f}\n"
        f"{nothing} for nothing; of {unknown} it is not known"
    )


def _of_exposed(asked: Asked, rows: Rows) -> str:
    found = [row for row in rows if row["state"] == "exposed"]
    unknown = sum(row["state"] == "unknown" for row in rows)
    hidden = sum(row["state"] == HIDDEN_IN_CODE for row in rows)
    check = asked.text("check")
    if not found:
        said = f"no finding of {check} was live" if not unknown else f"no finding of {check} is known to have been live"
    else:
        first = min(row["live_from"] for row in found)[:16].replace("T", " ")
        now = sum(row["live_now"] for row in found)
        said = f"exposed to {check} since {first}; {now} of {len(found)} findings are live now"
    said += f"; {hidden} that the code hid {'was' if hidden == 1 else 'were'}" if hidden else ""
    return f"{said}; {unknown} periods are unknown. Targets of a rollback: --of commits"


def _of_exposed_commits(_: Asked, rows: Rows) -> str:
    states = Counter(row["exposed"] for row in rows)
    unsafe = len({row["sha"] for row in rows if row["rollback"] == "unsafe"})
    hidden = f"{states[HIDDEN_IN_CODE]} {HIDDEN_IN_CODE}, " if states[HIDDEN_IN_CODE] else ""
    return f"exposed: {states['yes']} yes, {hidden}{states['no']} no, {states['unknown']} unknown; going back to {unsafe} is unsafe"


def _of_least_exposure(asked: Asked, rows: Rows) -> str:
    best = next((row["sha"][:12] for row in rows if row["advised"]), "")
    return f"for {asked.given.get('hours') or 24:g} hours; " + (f"advised: {best}" if best else "advised: fix forward")


def summary(question: Question, rows: Rows) -> str:
    """What stands above a table of findings: how many there are, by severity."""
    return tally(list(rows), _COUNTED[question.name]) if question.name in _COUNTED else ""


def _of_findings(asked: Asked, rows: Rows) -> str:
    return f"how to fix one: infraaudit explain ID --project {asked.project}" if rows else ""


_COUNTED = {"findings": "finding", "live": "finding", "changes": "change", "compare": "change", "exposure": "finding"}
NOTES: Mapping[str, Callable[[Asked, Rows], str]] = {
    "gate_replay": _of_replay,
    "exposed": _of_exposed,
    "exposed_commits": _of_exposed_commits,
    "least_exposure": _of_least_exposure,
    "compare": _of_compare,
    "findings": _of_findings,
    "live": _of_findings,
    "exposure": _of_exposure,
    "exposure_commits": _of_live_commits,
    "sla": _of_sla,
    "suppressions": _of_suppressions,
}
TABLES: Mapping[str, Callable[[Rows], None]] = {"dora": _print_dora, "finding_help": _print_help}
