"""What a question to the history is: its path, its line of help, its typed columns and its parameters.

Deliberately absent: how it is answered, which each face does with what it has (a terminal Git, the service pages).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]
"""The JSON schema of a value."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    """string, integer, number or boolean, as JSON has it; any value may also be missing."""


@dataclass(frozen=True, slots=True)
class Question:
    """``path`` is below /api/v1; ``command`` is that of the program which asks the same, if there is one."""

    path: str
    help: str
    columns: tuple[Column, ...]
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    command: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def typed(names: Sequence[str], integer: str = "", number: str = "", boolean: str = "") -> tuple[Column, ...]:
    """Columns of text, but for those that are named: each of the three is names with spaces between.

    Raises ValueError where one of them is no column.
    """
    types = {
        name: kind
        for kind, some in (("integer", integer), ("number", number), ("boolean", boolean))
        for name in some.split()
    }
    if unknown := types.keys() - set(names):
        raise ValueError(f"no such columns: {', '.join(sorted(unknown))}")
    return tuple(Column(name, types.get(name, "string")) for name in names)
