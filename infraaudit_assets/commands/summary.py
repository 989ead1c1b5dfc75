"""What the pipeline did with commits, as a table and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from infraaudit.questions.overview import CommitOverview
from infraaudit_assets.commands.terminal import standard_output
from infraaudit_domain.delivery.deployments import Outcome
from infraaudit_domain.delivery.images import Image
from infraaudit_domain.delivery.test_plans import NO_TESTS, says_no_tests
from infraaudit_domain.delivery.test_runs import CaseOutcome
from infraaudit_domain.errors import excerpt
from infraaudit_domain.reporting.notices import NOT_DEPLOYED

_LONGEST_SUBJECT = 120
_COLOR = {"deployed": "green", "rolled_back": "yellow", "failed": "red", "degraded": "red", "stopped": "red"}


def commit_row(row: CommitOverview, run_id: str) -> dict[str, Any]:
    """One commit of the summary."""
    image, tests, scan, changes = row.image, row.tests, row.scan, row.changes
    return {
        "sha": row.sha,
        "subject": row.subject,
        "image": None if image is None else _built(image),
        "further_images": {name: _built(one) for name, one in row.further_images.items()},
        "tests": NO_TESTS if _has_no_tests(row) else None if tests is None else tests.counts,
        "findings": None
        if scan is None or changes is None
        else {
            "total": _open(row),
            "new": len(changes.new),
            "fixed": len(changes.fixed),
            "perhaps_new": len(changes.perhaps_new),
            "unread": len(changes.unread),
        },
        "deployment": {"outcome": _outcome(row), "target": row.deployment.target if row.deployment else "none"},
        "run_id": run_id,
    }


def _built(image: Image) -> dict[str, Any]:
    return {
        "reference": image.reference,
        "digest": image.digest or image.image_id,
        "reused": image.reused_from is not None,
    }


def print_summary(rows: Sequence[CommitOverview]) -> None:
    """Print commits as a table, in the order given."""
    console = standard_output()
    table = Table(box=box.SIMPLE if console.is_terminal else None, expand=console.is_terminal)
    for name in ("commit", "subject", "image", "tests", "findings", "deployment"):
        # Where the terminal is narrow, the subject gives way.
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1 if name == "subject" else None)
    for row in rows:
        outcome = _word(row)
        table.add_row(
            row.sha[:7],
            excerpt(row.subject)[:_LONGEST_SUBJECT],
            _image(row),
            _tests(row),
            _findings(row),
            Text(outcome, style=_COLOR.get(outcome, "dim")),
        )
    console.print(table)


def _outcome(row: CommitOverview) -> str:
    return row.deployment.outcome.value if row.deployment else Outcome.SKIPPED.value


def _word(row: CommitOverview) -> str:
    """The outcome as the audit page names it: what a gate did not let through was stopped."""
    refused = row.reasons.get("deployment", "").startswith(NOT_DEPLOYED)
    is_stopped = refused or (row.tests is not None and "test_results" in row.reasons and not _has_no_tests(row))
    return "stopped" if is_stopped and _outcome(row) == Outcome.SKIPPED else _outcome(row)


def _open(row: CommitOverview) -> int:
    return sum(finding.is_open for finding in row.scan.findings) if row.scan else 0


def _image(row: CommitOverview) -> str:
    if row.image is None:
        return "—"
    every = [row.image, *row.further_images.values()]
    built = [image for image in every if image.reused_from is None]
    if len(every) > 1:
        return f"{len(built)} of {len(every)} built"
    return f"as {row.image.reused_from[:7]}" if row.image.reused_from else f"{row.image.build_seconds:.1f} s"


def _has_no_tests(row: CommitOverview) -> bool:
    return says_no_tests(row.reasons.get("test_results"))


def _tests(row: CommitOverview) -> Text:
    if _has_no_tests(row):
        return Text(NO_TESTS, style="yellow")
    if row.tests is None:
        return Text("—")
    passed, bad = row.tests.count(CaseOutcome.PASSED), row.tests.bad
    if passed + bad == 0:
        return Text("no result", style="red")
    return Text(f"{passed} passed" + (f", {bad} failed" if bad else ""), style="red" if bad else "")


def _findings(row: CommitOverview) -> str:
    if row.scan is None or row.changes is None:
        return "—"
    changes = row.changes
    words = [f"+{len(changes.new)} −{len(changes.fixed)}"]
    words += [f"{len(changes.perhaps_new)} perhaps new"] if changes.perhaps_new else []
    words += [f"{len(changes.unread)} unread"] if changes.unread else []
    return f"{_open(row)} ({', '.join(words)})"
