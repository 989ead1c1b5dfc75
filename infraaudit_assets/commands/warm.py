"""Commands that run commits do so in a fork of the installation's warm parent, where one can be had.

Deliberately absent: other commands, which import too little for a parent to gain anything.
"""

import importlib
from collections.abc import Callable
from typing import Any

from infraaudit_assets.commands.terminal import exit_code_of
from infraaudit_assets.dagster_home import instance_file
from infraaudit_assets.settings import Settings, settings
from resources.dagster.warm_imports import warmth

COMMANDS = ("infraaudit_assets.commands.run", "infraaudit_assets.commands.demo", "infraaudit_assets.commands.summary")


def warm_or_here(current: Settings, work: Callable[..., int], *arguments: Any) -> int:
    """Call a function of a command that returns an exit code: in the warm parent's fork, else here."""
    code = None
    if current.warm_minutes > 0:
        home = instance_file(current).parent
        parent = warmth(home, "infraaudit_assets.definitions", current.warm_minutes * 60, *COMMANDS)
        code = parent.run(f"{__name__}:called", [work.__module__, work.__name__, *arguments])
    return work(*arguments) if code is None else code


def called(module: str, function: str, *arguments: Any) -> int:
    """What the fork does: what is an error of a command is one here."""
    settings.cache_clear()
    return exit_code_of(lambda: getattr(importlib.import_module(module), function)(*arguments))
