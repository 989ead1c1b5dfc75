"""A group of commands whose modules are imported when a command is called: help and completion import none of them."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, as ``module:function`` below infraaudit_assets.commands, and its line in the help."""

    where: str
    help: str
    panel: str
    is_question: bool = False
    """Whether the function makes the command's own one from its questions."""


def lazy_group(entries: Mapping[str, Entry]) -> type[TyperGroup]:
    """The class of a group that has these commands, in this order."""

    class LazyGroup(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            for name, entry in entries.items():
                self.add_command(TyperCommand(name, help=entry.help, rich_help_panel=entry.panel))

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """The command that is called, in place of the line that stands for it in the help."""
            name, command, rest = super().resolve_command(ctx, args)
            return name, load(name, entries[name]) if name else command, rest

    return LazyGroup


def load(name: str, entry: Entry) -> Any:
    """The command of an entry, or its group of commands."""
    module, _, attribute = entry.where.partition(":")
    found = getattr(importlib.import_module(f"infraaudit_assets.commands.{module}"), attribute)
    if entry.is_question:
        found = found(name)
    if isinstance(found, typer.Typer):
        group = get_command(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name)(found)
    return get_command(alone)
