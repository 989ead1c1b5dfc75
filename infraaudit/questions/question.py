"""What a question to the history is: its name, path and command, its lines of help, its typed columns and parameters.

The answer to a question is the function of its name in infraaudit/questions/answers.py. Deliberately absent: that
import, so that a face can list the questions without a database library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Schema = dict[str, Any]
"""The JSON schema of a value; its ``description`` is the help of the option."""


class Needs(StrEnum):
    """What there must be of a project before a question has an answer."""

    PROJECT = "project"
    COMMIT = "commit"
    """One of the line."""
    RUN = "run"
    """A stage that ran for some commit."""
    TESTS = "tests"
    """A run of the tests of some commit."""
    SCAN = "scan"
    """A commit of the line whose scan did not fail."""
    ATTEMPT = "attempt"
    """A deployment with any outcome, skipped too."""
    DEPLOYMENT = "deployment"
    """One that was tried, in the environment where one is named."""
    HEALTHY_DEPLOYMENT = "healthy deployment"
    """One that became healthy, in the environment that is asked for or the first one."""
    REQUEST = "request"
    """One that its forge has sent."""
    LIVE = "live"
    """One that became healthy, in the environment where one is named."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    """string, integer, number or boolean, as JSON has it; any value may also be missing."""
    title: str
    """Over the column, where people read it."""


@dataclass(frozen=True, slots=True)
class Question:
    """``path`` is below /api/v1; ``command`` is that of the program which asks the same."""

    name: str
    path: str
    help: str
    columns: tuple[Column, ...]
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    command: str = ""
    of: str = ""
    """Where several questions share a command: which of them, as its option --of names it."""
    details: str = ""
    """What the help of the command adds to its first line."""
    shown: str = ""
    """The columns of a table for people, the most important first; all of them by default."""
    positional: tuple[str, ...] = ()
    """Parameters that the command takes without their names."""
    command_defaults: Mapping[str, str] = field(default_factory=dict)
    """Defaults in which the command differs from the path; both are older than this table."""
    needs_git: bool = True
    """Whether the command first brings the branch up to date with its mirror."""
    panel: str = "Ask the history"
    needs: tuple[Needs, ...] = ()
    """Without each of them there is no answer, and what is missing is said instead of rows."""
    none_is_an_answer: bool = False
    """Whether a program gets no rows as no rows where something is missing, and only people read what it is."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def headings(self) -> dict[str, str]:
        """The titles of the columns for people, by name, in their order."""
        titles = {column.name: column.title for column in self.columns}
        return {name: titles[name] for name in self.shown.split()} if self.shown else titles


_TITLES = {
    "check_id": "check", "check_name": "name", "file_path": "file", "line_start": "line", "line_end": "to line",
    "introduced_by": "introduced by", "introduced_certainty": "certainty", "fixed_certainty": "certainty of the fix",
    "age_days": "days", "age_days_at_most": "days at most", "last_read": "last read", "suppression_reason": "suppressed because", "at": "at (UTC)",
    "sha": "commit", "live_to": "to", "hours_exposed": "hours", "live_now": "live", "sla_days": "allowed",
    "introduced_at": "introduced", "fixed_at": "fixed", "brought_back_by": "brought back by", "owner": "who",
    "reason": "why", "up_to_7_days": "≤7", "up_to_30_days": "≤30", "up_to_90_days": "≤90", "over_90_days": ">90",
    "oldest_days": "oldest", "median_days": "median", "mean_days_to_fix": "mean to fix",
    "median_days_to_fix": "median to fix", "committed_at": "time (UTC)", "finished_at": "ended (UTC)",
    "started_at": "started (UTC)", "replaced_sha": "replaced", "deployed": "deployments", "per_day": "a day",
    "lead_seconds": "lead time", "failure_ratio": "change failure rate", "restore_seconds": "time to restore",
    "run_id": "run",
}  # fmt: skip
"""The title of a column, where it is not its name with spaces."""


def typed(
    names: Sequence[str], integer: str = "", number: str = "", boolean: str = "", **titles: str
) -> tuple[Column, ...]:
    """Columns of text, but for those that are named: each of the three is names with spaces between.

    ``titles`` are those of this question alone. Raises ValueError where a name is no column.
    """
    types = {name: kind for kind, some in (("integer", integer), ("number", number), ("boolean", boolean))
             for name in some.split()}  # fmt: skip
    if unknown := (types.keys() | titles.keys()) - set(names):
        raise ValueError(f"no such columns: {', '.join(sorted(unknown))}")
    every_title = _TITLES | titles
    return tuple(
        Column(name, types.get(name, "string"), every_title.get(name, name.replace("_", " "))) for name in names
    )
